//! The grammar of XPath 1.0.

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Number(f64),
    Text(String),
    Call(String, Vec<Expr>),
    Negative(Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Path(Path),
    /// An expression with predicates and steps after it.
    Filter {
        base: Box<Expr>,
        predicates: Vec<Expr>,
        steps: Vec<Step>,
    },
}

/// A location path.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Path {
    pub absolute: bool,
    pub steps: Vec<Step>,
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub axis: Axis,
    pub test: Test,
    pub predicates: Vec<Expr>,
}

/// Where a step looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Axis {
    Child,
    Descendant,
    DescendantOrSelf,
    Itself,
    Parent,
    Ancestor,
    AncestorOrSelf,
    FollowingSibling,
    PrecedingSibling,
    Following,
    Preceding,
    Attribute,
}

/// What a step takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    Name(String),
    Any,
    Text,
    Comment,
    Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Name(String),
    Symbol(&'static str),
}

const SYMBOLS: [&str; 21] =
    ["//", "::", "..", "!=", "<=", ">=", "/", "(", ")", "[", "]", ".", "@", ",", "|", "+", "-", "=", "<", ">", "*"];

fn tokenize(text: &str) -> Option<Vec<Token>> {
    let mut out: Vec<Token> = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let length = if c == '"' || c == '\'' {
            let end = rest[1..].find(c)? + 1;
            out.push(Token::Text(rest[1..end].to_string()));
            end + 1
        } else if c.is_ascii_digit() || (c == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
            out.push(Token::Number(rest[..end].parse().ok()?));
            end
        } else if let Some(symbol) = SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
            out.push(Token::Symbol(symbol));
            symbol.len()
        } else if c.is_alphabetic() || c == '_' {
            let mut end =
                rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))).unwrap_or(rest.len());
            // A name with a prefix.
            if rest[end..].starts_with(':') && !rest[end..].starts_with("::") {
                let local = &rest[end + 1..];
                end += 1 + local
                    .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '*')))
                    .unwrap_or(local.len());
            }
            out.push(Token::Name(rest[..end].to_string()));
            end
        } else {
            return None;
        };
        rest = rest[length..].trim_start();
    }
    Some(out)
}

/// Reads an expression; `None` if it is malformed.
pub fn parse(text: &str) -> Option<Expr> {
    let mut parser = Parser { tokens: tokenize(text)?, at: 0, depth: 0 };
    let expr = parser.binary(0)?;
    (parser.at == parser.tokens.len()).then_some(expr)
}

/// Operators by how tightly they bind, loosest first.
const LEVELS: [&[&str]; 7] =
    [&["or"], &["and"], &["=", "!="], &["<", "<=", ">", ">="], &["+", "-"], &["*", "div", "mod"], &["|"]];

/// How deep expressions may nest.
const MAX_DEPTH: usize = 200;

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(s)) if *s == symbol);
        self.at += usize::from(found);
        found
    }

    fn is(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some(Token::Symbol(s)) if *s == symbol)
    }

    fn operator(&self, level: usize) -> Option<&'static str> {
        let text = match self.peek()? {
            Token::Symbol(s) => *s,
            Token::Name(n) => n.as_str(),
            _ => return None,
        };
        LEVELS[level].iter().copied().find(|op| *op == text)
    }

    fn binary(&mut self, level: usize) -> Option<Expr> {
        if level == LEVELS.len() - 1 {
            // A minus binds looser than a union.
            if self.eat("-") {
                return Some(Expr::Negative(Box::new(self.nested(|p| p.binary(level))?)));
            }
        } else if level == LEVELS.len() {
            return self.nested(Self::path_or_filter);
        }
        let mut left = self.binary(level + 1)?;
        while let Some(op) = self.operator(level) {
            self.at += 1;
            let right = self.binary(level + 1)?;
            left = Expr::Binary(op, Box::new(left), Box::new(right));
        }
        Some(left)
    }

    fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let value = f(self);
        self.depth -= 1;
        value
    }

    fn path_or_filter(&mut self) -> Option<Expr> {
        let base = match self.peek()? {
            Token::Number(v) => {
                let v = *v;
                self.at += 1;
                Expr::Number(v)
            }
            Token::Text(text) => {
                let text = text.clone();
                self.at += 1;
                Expr::Text(text)
            }
            Token::Symbol("(") => {
                self.at += 1;
                let inner = self.binary(0)?;
                if !self.eat(")") {
                    return None;
                }
                inner
            }
            Token::Name(name) if self.is(1, "(") && !is_node_type(name) => {
                let name = name.clone();
                self.at += 2;
                Expr::Call(name, self.arguments()?)
            }
            _ => return self.path().map(Expr::Path),
        };
        let predicates = self.predicates()?;
        let mut steps = Vec::new();
        if self.is(0, "/") || self.is(0, "//") {
            self.steps_after_slash(&mut steps)?;
        }
        if predicates.is_empty() && steps.is_empty() {
            return Some(base);
        }
        Some(Expr::Filter { base: Box::new(base), predicates, steps })
    }

    fn arguments(&mut self) -> Option<Vec<Expr>> {
        let mut args = Vec::new();
        if self.eat(")") {
            return Some(args);
        }
        loop {
            args.push(self.binary(0)?);
            if self.eat(")") {
                return Some(args);
            }
            if !self.eat(",") {
                return None;
            }
        }
    }

    fn path(&mut self) -> Option<Path> {
        let mut path = Path::default();
        if self.is(0, "/") || self.is(0, "//") {
            path.absolute = true;
            let alone = self.is(0, "/") && !self.starts_step(1);
            if alone {
                self.at += 1;
                return Some(path);
            }
            self.steps_after_slash(&mut path.steps)?;
            return Some(path);
        }
        path.steps.push(self.step()?);
        self.steps_after_slash(&mut path.steps)?;
        Some(path)
    }

    fn starts_step(&self, ahead: usize) -> bool {
        match self.tokens.get(self.at + ahead) {
            Some(Token::Name(_)) => true,
            Some(Token::Symbol(s)) => matches!(*s, "." | ".." | "@" | "*"),
            _ => false,
        }
    }

    fn steps_after_slash(&mut self, steps: &mut Vec<Step>) -> Option<()> {
        loop {
            if self.eat("//") {
                steps.push(Step { axis: Axis::DescendantOrSelf, test: Test::Node, predicates: Vec::new() });
            } else if !self.eat("/") {
                return Some(());
            }
            steps.push(self.step()?);
        }
    }

    fn step(&mut self) -> Option<Step> {
        if self.eat("..") {
            return Some(Step { axis: Axis::Parent, test: Test::Node, predicates: self.predicates()? });
        }
        if self.eat(".") {
            return Some(Step { axis: Axis::Itself, test: Test::Node, predicates: self.predicates()? });
        }
        let axis = if self.eat("@") {
            Axis::Attribute
        } else if self.is(1, "::") {
            let Some(Token::Name(name)) = self.peek() else { return None };
            let axis = axis(name)?;
            self.at += 2;
            axis
        } else {
            Axis::Child
        };
        let test = self.test()?;
        Some(Step { axis, test, predicates: self.predicates()? })
    }

    fn test(&mut self) -> Option<Test> {
        if self.eat("*") {
            return Some(Test::Any);
        }
        let Some(Token::Name(name)) = self.peek() else { return None };
        let name = name.clone();
        self.at += 1;
        if is_node_type(&name) && self.is(0, "(") {
            self.at += 1;
            if !self.eat(")") {
                return None;
            }
            return Some(match name.as_str() {
                "text" => Test::Text,
                "comment" => Test::Comment,
                _ => Test::Node,
            });
        }
        let local = name.rsplit_once(':').map_or(name.as_str(), |(_, local)| local);
        Some(if local == "*" { Test::Any } else { Test::Name(local.to_string()) })
    }

    fn predicates(&mut self) -> Option<Vec<Expr>> {
        let mut out = Vec::new();
        while self.eat("[") {
            out.push(self.binary(0)?);
            if !self.eat("]") {
                return None;
            }
        }
        Some(out)
    }
}

fn is_node_type(name: &str) -> bool {
    matches!(name, "text" | "comment" | "node" | "processing-instruction")
}

fn axis(name: &str) -> Option<Axis> {
    Some(match name {
        "child" => Axis::Child,
        "descendant" => Axis::Descendant,
        "descendant-or-self" => Axis::DescendantOrSelf,
        "self" => Axis::Itself,
        "parent" => Axis::Parent,
        "ancestor" => Axis::Ancestor,
        "ancestor-or-self" => Axis::AncestorOrSelf,
        "following-sibling" => Axis::FollowingSibling,
        "preceding-sibling" => Axis::PrecedingSibling,
        "following" => Axis::Following,
        "preceding" => Axis::Preceding,
        "attribute" => Axis::Attribute,
        _ => return None,
    })
}
