//! A small document model.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

/// How deep elements may nest.
const MAX_DEPTH: usize = 1000;

/// A node by its place in the document's list; 0 is the document itself.
pub type Id = usize;

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Document,
    Element { name: String, attributes: Vec<(String, String)> },
    Text(String),
    Comment(String),
}

/// A node with its place in the tree. Nodes are listed in document order.
#[derive(Debug, Clone)]
pub struct Node {
    pub kind: Kind,
    pub parent: Id,
    pub children: Vec<Id>,
}

/// A parsed document.
#[derive(Debug, Clone)]
pub struct Document {
    pub nodes: Vec<Node>,
}

impl Document {
    /// Reads a document; `None` if it is not well-formed.
    pub fn parse(text: &str) -> Option<Document> {
        let mut reader = Reader::from_str(text.trim_start());
        let mut doc = Document { nodes: vec![Node { kind: Kind::Document, parent: 0, children: Vec::new() }] };
        let mut open: Vec<Id> = vec![0];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => {
                    let id = doc.element(&start, *open.last()?)?;
                    open.push(id);
                    if open.len() > MAX_DEPTH {
                        return None;
                    }
                }
                Event::Empty(start) => {
                    doc.element(&start, *open.last()?)?;
                }
                Event::End(_) => {
                    open.pop();
                    if open.is_empty() {
                        return None;
                    }
                }
                Event::Text(text) => doc.text(&text.decode().ok()?, *open.last()?),
                Event::CData(data) => doc.text(&data.decode().ok()?, *open.last()?),
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref().ok()? {
                        Some(c) => c.to_string(),
                        None => resolve_predefined_entity(&reference.decode().ok()?)?.to_string(),
                    };
                    doc.text(&resolved, *open.last()?);
                }
                Event::Comment(comment) => {
                    let kind = Kind::Comment(comment.decode().ok()?.into_owned());
                    doc.add(kind, *open.last()?);
                }
                Event::Eof => break,
                Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        (open.len() == 1 && doc.root().is_some()).then_some(doc)
    }

    fn add(&mut self, kind: Kind, parent: Id) -> Id {
        let id = self.nodes.len();
        self.nodes.push(Node { kind, parent, children: Vec::new() });
        self.nodes[parent].children.push(id);
        id
    }

    fn element(&mut self, start: &BytesStart, parent: Id) -> Option<Id> {
        let name = std::str::from_utf8(start.name().as_ref()).ok()?.to_string();
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.ok()?;
            let key = std::str::from_utf8(attribute.key.as_ref()).ok()?.to_string();
            attributes.push((key, attribute.unescape_value().ok()?.into_owned()));
        }
        Some(self.add(Kind::Element { name, attributes }, parent))
    }

    /// Adjacent texts are one node; white space outside the root element is none.
    fn text(&mut self, text: &str, parent: Id) {
        if parent == 0 || text.is_empty() {
            return;
        }
        if let Some(last) = self.nodes[parent].children.last().copied()
            && let Kind::Text(known) = &mut self.nodes[last].kind
        {
            known.push_str(text);
            return;
        }
        self.add(Kind::Text(text.to_string()), parent);
    }

    /// The root element.
    pub fn root(&self) -> Option<Id> {
        self.nodes[0].children.iter().copied().find(|id| matches!(self.nodes[*id].kind, Kind::Element { .. }))
    }

    /// The element's name without its prefix; empty for other nodes.
    pub fn name(&self, id: Id) -> &str {
        match &self.nodes[id].kind {
            Kind::Element { name, .. } => name.rsplit_once(':').map_or(name, |(_, local)| local),
            _ => "",
        }
    }

    /// The element's attributes but for name space declarations.
    pub fn attributes(&self, id: Id) -> impl Iterator<Item = (&str, &str)> {
        let all = match &self.nodes[id].kind {
            Kind::Element { attributes, .. } => attributes.as_slice(),
            _ => &[],
        };
        all.iter()
            .filter(|(name, _)| name != "xmlns" && !name.starts_with("xmlns:"))
            .map(|(name, value)| (name.rsplit_once(':').map_or(name.as_str(), |(_, local)| local), value.as_str()))
    }

    /// Elements directly inside.
    pub fn elements(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        self.nodes[id].children.iter().copied().filter(|c| matches!(self.nodes[*c].kind, Kind::Element { .. }))
    }

    /// The texts directly inside, put together.
    pub fn own_text(&self, id: Id) -> String {
        let text = |c: &Id| if let Kind::Text(t) = &self.nodes[*c].kind { Some(t.as_str()) } else { None };
        self.nodes[id].children.iter().filter_map(text).collect()
    }

    /// All text inside.
    pub fn string_value(&self, id: Id) -> String {
        let mut out = String::new();
        self.collect_text(id, &mut out);
        out
    }

    fn collect_text(&self, id: Id, out: &mut String) {
        match &self.nodes[id].kind {
            Kind::Text(text) => out.push_str(text),
            Kind::Comment(text) if out.is_empty() && self.nodes[id].children.is_empty() => out.push_str(text),
            Kind::Comment(_) => {}
            _ => self.nodes[id].children.iter().for_each(|c| {
                if !matches!(self.nodes[*c].kind, Kind::Comment(_)) {
                    self.collect_text(*c, out);
                }
            }),
        }
    }

    /// What is inside, as XML.
    pub fn inner_xml(&self, id: Id) -> String {
        let mut out = String::new();
        self.nodes[id].children.iter().for_each(|c| self.write(*c, &mut out));
        out
    }

    fn write(&self, id: Id, out: &mut String) {
        match &self.nodes[id].kind {
            Kind::Text(text) => out.push_str(&quick_xml::escape::partial_escape(text.as_str())),
            Kind::Element { name, attributes } => {
                out.push_str(&format!("<{name}"));
                for (key, value) in attributes {
                    out.push_str(&format!(" {key}=\"{}\"", quick_xml::escape::escape(value.as_str())));
                }
                out.push('>');
                self.nodes[id].children.iter().for_each(|c| self.write(*c, out));
                out.push_str(&format!("</{name}>"));
            }
            _ => {}
        }
    }
}
