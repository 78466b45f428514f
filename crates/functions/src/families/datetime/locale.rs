//! The languages that datetime patterns and numbers of text data are read and written in: the names that the
//! Common Locale Data Repository has for the months, days and the like, as Java 17 carries them.

use super::calendar::{MONTHS, WEEKDAYS};

/// The names and marks of a language.
#[derive(Debug, PartialEq)]
pub struct Locale {
    /// Language and the region that it is taken of where none is said.
    tags: [&'static str; 2],
    /// Months within a date (`MMMM`, `MMM`).
    pub months: [[&'static str; 12]; 2],
    /// Months by themselves (`LLLL`, `LLL`).
    pub lone_months: [[&'static str; 12]; 2],
    /// Monday first (`EEEE`, `EEE`).
    pub weekdays: [[&'static str; 7]; 2],
    /// Before and after noon.
    pub halves: [&'static str; 2],
    /// Before and after the year 1 (`GGGG`, `G`).
    pub eras: [[&'static str; 2]; 2],
    /// `QQQQ`, `QQQ`.
    pub quarters: [[&'static str; 4]; 2],
    /// What stands between groups of digits, and before the fraction.
    pub group: char,
    pub point: char,
}

const SHORT_MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What is meant where no language is said.
pub static ENGLISH: Locale = Locale {
    tags: ["en", "us"],
    months: [MONTHS, SHORT_MONTHS],
    lone_months: [MONTHS, SHORT_MONTHS],
    weekdays: [WEEKDAYS, ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]],
    halves: ["AM", "PM"],
    eras: [["Before Christ", "Anno Domini"], ["BC", "AD"]],
    quarters: [["1st quarter", "2nd quarter", "3rd quarter", "4th quarter"], ["Q1", "Q2", "Q3", "Q4"]],
    group: ',',
    point: '.',
};

#[rustfmt::skip]
static OTHERS: &[Locale] = &[
    Locale {
        tags: ["de", "de"],
        months: [
            ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"],
            ["Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez."],
        ],
        lone_months: [
            ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"],
            ["Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez"],
        ],
        weekdays: [
            ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"],
            ["Mo.", "Di.", "Mi.", "Do.", "Fr.", "Sa.", "So."],
        ],
        halves: ["AM", "PM"],
        eras: [["v. Chr.", "n. Chr."], ["v. Chr.", "n. Chr."]],
        quarters: [
            ["1. Quartal", "2. Quartal", "3. Quartal", "4. Quartal"],
            ["Q1", "Q2", "Q3", "Q4"],
        ],
        group: '.',
        point: ',',
    },
    Locale {
        tags: ["fr", "fr"],
        months: [
            ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"],
            ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."],
        ],
        lone_months: [
            ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"],
            ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."],
        ],
        weekdays: [
            ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"],
            ["lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim."],
        ],
        halves: ["AM", "PM"],
        eras: [["avant Jésus-Christ", "après Jésus-Christ"], ["BC", "ap. J.-C."]],
        quarters: [
            ["1er trimestre", "2e trimestre", "3e trimestre", "4e trimestre"],
            ["T1", "T2", "T3", "T4"],
        ],
        group: '\u{202f}',
        point: ',',
    },
    Locale {
        tags: ["es", "es"],
        months: [
            ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"],
            ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sept", "oct", "nov", "dic"],
        ],
        lone_months: [
            ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"],
            ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sept", "oct", "nov", "dic"],
        ],
        weekdays: [
            ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"],
            ["lun", "mar", "mié", "jue", "vie", "sáb", "dom"],
        ],
        halves: ["a. m.", "p. m."],
        eras: [["antes de Cristo", "después de Cristo"], ["antes de Cristo", "anno Dómini"]],
        quarters: [
            ["1.er trimestre", "2.º trimestre", "3.er trimestre", "4.º trimestre"],
            ["T1", "T2", "T3", "T4"],
        ],
        group: '.',
        point: ',',
    },
    Locale {
        tags: ["it", "it"],
        months: [
            ["gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre"],
            ["gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic"],
        ],
        lone_months: [
            ["gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre"],
            ["gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic"],
        ],
        weekdays: [
            ["lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica"],
            ["lun", "mar", "mer", "gio", "ven", "sab", "dom"],
        ],
        halves: ["AM", "PM"],
        eras: [["a.C.", "d.C."], ["BC", "dopo Cristo"]],
        quarters: [
            ["1º trimestre", "2º trimestre", "3º trimestre", "4º trimestre"],
            ["T1", "T2", "T3", "T4"],
        ],
        group: '.',
        point: ',',
    },
    Locale {
        tags: ["pt", "br"],
        months: [
            ["janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro", "dezembro"],
            ["jan.", "fev.", "mar.", "abr.", "mai.", "jun.", "jul.", "ago.", "set.", "out.", "nov.", "dez."],
        ],
        lone_months: [
            ["janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro", "dezembro"],
            ["jan.", "fev.", "mar.", "abr.", "mai.", "jun.", "jul.", "ago.", "set.", "out.", "nov.", "dez."],
        ],
        weekdays: [
            ["segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo"],
            ["seg.", "ter.", "qua.", "qui.", "sex.", "sáb.", "dom."],
        ],
        halves: ["AM", "PM"],
        eras: [["antes de Cristo", "depois de Cristo"], ["a.C.", "d.C."]],
        quarters: [
            ["1º trimestre", "2º trimestre", "3º trimestre", "4º trimestre"],
            ["T1", "T2", "T3", "T4"],
        ],
        group: '.',
        point: ',',
    },
    Locale {
        tags: ["nl", "nl"],
        months: [
            ["januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober", "november", "december"],
            ["jan.", "feb.", "mrt.", "apr.", "mei", "jun.", "jul.", "aug.", "sep.", "okt.", "nov.", "dec."],
        ],
        lone_months: [
            ["januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober", "november", "december"],
            ["jan.", "feb.", "mrt.", "apr.", "mei", "jun.", "jul.", "aug.", "sep.", "okt.", "nov.", "dec."],
        ],
        weekdays: [
            ["maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"],
            ["ma", "di", "wo", "do", "vr", "za", "zo"],
        ],
        halves: ["a.m.", "p.m."],
        eras: [["voor Christus", "na Christus"], ["v. Chr.", "n. Chr."]],
        quarters: [
            ["1e kwartaal", "2e kwartaal", "3e kwartaal", "4e kwartaal"],
            ["K1", "K2", "K3", "K4"],
        ],
        group: '.',
        point: ',',
    },
    Locale {
        tags: ["ja", "jp"],
        months: [
            ["1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"],
            ["1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"],
        ],
        lone_months: [
            ["1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"],
            ["1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"],
        ],
        weekdays: [
            ["月曜日", "火曜日", "水曜日", "木曜日", "金曜日", "土曜日", "日曜日"],
            ["月", "火", "水", "木", "金", "土", "日"],
        ],
        halves: ["午前", "午後"],
        eras: [["紀元前", "西暦"], ["紀元前", "西暦"]],
        quarters: [
            ["第1四半期", "第2四半期", "第3四半期", "第4四半期"],
            ["Q1", "Q2", "Q3", "Q4"],
        ],
        group: ',',
        point: '.',
    },
    Locale {
        tags: ["zh", "cn"],
        months: [
            ["一月", "二月", "三月", "四月", "五月", "六月", "七月", "八月", "九月", "十月", "十一月", "十二月"],
            ["1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"],
        ],
        lone_months: [
            ["一月", "二月", "三月", "四月", "五月", "六月", "七月", "八月", "九月", "十月", "十一月", "十二月"],
            ["1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"],
        ],
        weekdays: [
            ["星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"],
            ["周一", "周二", "周三", "周四", "周五", "周六", "周日"],
        ],
        halves: ["上午", "下午"],
        eras: [["公元前", "公元"], ["公元前", "公元"]],
        quarters: [
            ["第一季度", "第二季度", "第三季度", "第四季度"],
            ["1季度", "2季度", "3季度", "4季度"],
        ],
        group: ',',
        point: '.',
    },
    Locale {
        tags: ["ko", "kr"],
        months: [
            ["1월", "2월", "3월", "4월", "5월", "6월", "7월", "8월", "9월", "10월", "11월", "12월"],
            ["1월", "2월", "3월", "4월", "5월", "6월", "7월", "8월", "9월", "10월", "11월", "12월"],
        ],
        lone_months: [
            ["1월", "2월", "3월", "4월", "5월", "6월", "7월", "8월", "9월", "10월", "11월", "12월"],
            ["1월", "2월", "3월", "4월", "5월", "6월", "7월", "8월", "9월", "10월", "11월", "12월"],
        ],
        weekdays: [
            ["월요일", "화요일", "수요일", "목요일", "금요일", "토요일", "일요일"],
            ["월", "화", "수", "목", "금", "토", "일"],
        ],
        halves: ["오전", "오후"],
        eras: [["기원전", "서기"], ["기원전", "서기"]],
        quarters: [
            ["제 1/4분기", "제 2/4분기", "제 3/4분기", "제 4/4분기"],
            ["1분기", "2분기", "3분기", "4분기"],
        ],
        group: ',',
        point: '.',
    },
    Locale {
        tags: ["pl", "pl"],
        months: [
            ["stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca", "lipca", "sierpnia", "września", "października", "listopada", "grudnia"],
            ["sty", "lut", "mar", "kwi", "maj", "cze", "lip", "sie", "wrz", "paź", "lis", "gru"],
        ],
        lone_months: [
            ["styczeń", "luty", "marzec", "kwiecień", "maj", "czerwiec", "lipiec", "sierpień", "wrzesień", "październik", "listopad", "grudzień"],
            ["sty", "lut", "mar", "kwi", "maj", "cze", "lip", "sie", "wrz", "paź", "lis", "gru"],
        ],
        weekdays: [
            ["poniedziałek", "wtorek", "środa", "czwartek", "piątek", "sobota", "niedziela"],
            ["pon.", "wt.", "śr.", "czw.", "pt.", "sob.", "niedz."],
        ],
        halves: ["AM", "PM"],
        eras: [["p.n.e.", "n.e."], ["p.n.e.", "n.e."]],
        quarters: [
            ["I kwartał", "II kwartał", "III kwartał", "IV kwartał"],
            ["I kw.", "II kw.", "III kw.", "IV kw."],
        ],
        group: '\u{a0}',
        point: ',',
    },
    Locale {
        tags: ["ru", "ru"],
        months: [
            ["января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря"],
            ["янв.", "февр.", "мар.", "апр.", "мая", "июн.", "июл.", "авг.", "сент.", "окт.", "нояб.", "дек."],
        ],
        lone_months: [
            ["январь", "февраль", "март", "апрель", "май", "июнь", "июль", "август", "сентябрь", "октябрь", "ноябрь", "декабрь"],
            ["янв.", "февр.", "март", "апр.", "май", "июнь", "июль", "авг.", "сент.", "окт.", "нояб.", "дек."],
        ],
        weekdays: [
            ["понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье"],
            ["пн", "вт", "ср", "чт", "пт", "сб", "вс"],
        ],
        halves: ["AM", "PM"],
        eras: [["до Рождества Христова", "от Рождества Христова"], ["до н.э.", "н.э."]],
        quarters: [
            ["1-й квартал", "2-й квартал", "3-й квартал", "4-й квартал"],
            ["1-й кв.", "2-й кв.", "3-й кв.", "4-й кв."],
        ],
        group: '\u{a0}',
        point: ',',
    },
    Locale {
        tags: ["tr", "tr"],
        months: [
            ["Ocak", "Şubat", "Mart", "Nisan", "Mayıs", "Haziran", "Temmuz", "Ağustos", "Eylül", "Ekim", "Kasım", "Aralık"],
            ["Oca", "Şub", "Mar", "Nis", "May", "Haz", "Tem", "Ağu", "Eyl", "Eki", "Kas", "Ara"],
        ],
        lone_months: [
            ["Ocak", "Şubat", "Mart", "Nisan", "Mayıs", "Haziran", "Temmuz", "Ağustos", "Eylül", "Ekim", "Kasım", "Aralık"],
            ["Oca", "Şub", "Mar", "Nis", "May", "Haz", "Tem", "Ağu", "Eyl", "Eki", "Kas", "Ara"],
        ],
        weekdays: [
            ["Pazartesi", "Salı", "Çarşamba", "Perşembe", "Cuma", "Cumartesi", "Pazar"],
            ["Pzt", "Sal", "Çar", "Per", "Cum", "Cmt", "Paz"],
        ],
        halves: ["ÖÖ", "ÖS"],
        eras: [["Milattan Önce", "Milattan Sonra"], ["MÖ", "MS"]],
        quarters: [
            ["1. çeyrek", "2. çeyrek", "3. çeyrek", "4. çeyrek"],
            ["Ç1", "Ç2", "Ç3", "Ç4"],
        ],
        group: '.',
        point: ',',
    },
];

impl Locale {
    /// The locale of a tag such as `de` or `pt-BR`, if its names are known; of a language that is spoken
    /// differently in different regions, only that of the first.
    pub fn named(tag: &str) -> Option<&'static Locale> {
        let tag = tag.replace('_', "-").to_ascii_lowercase();
        let (language, region) = tag.split_once('-').map_or((tag.as_str(), None), |(l, r)| (l, Some(r)));
        let mut all = std::iter::once(&ENGLISH).chain(OTHERS);
        all.find(|l| l.tags[0] == language && region.is_none_or(|r| r == l.tags[1]))
    }

    /// The months of a letter that is repeated so often.
    pub fn months_of(&self, letter: char, count: usize) -> &[&'static str; 12] {
        &(if letter == 'L' { &self.lone_months } else { &self.months })[usize::from(count == 3)]
    }

    /// A number as it is written here, with the marks that numbers have elsewhere; `None` if it is none.
    pub fn plain_number(&self, text: &str) -> Option<String> {
        if std::ptr::eq(self, &ENGLISH) {
            return Some(text.replace(',', ""));
        }
        let (digits, exponent) = text.split_once('E').map_or((text, None), |(d, e)| (d, Some(e)));
        let unsigned = digits.strip_prefix('-').unwrap_or(digits);
        let (whole, fraction) = unsigned.split_once(self.point).unwrap_or((unsigned, ""));
        let whole: String = whole.chars().filter(|c| *c != self.group).collect();
        let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let scaled = exponent.map(|e| e.strip_prefix('-').unwrap_or(e));
        if !is_digits(&whole) || !is_digits(fraction) || !scaled.is_none_or(|e| !e.is_empty() && is_digits(e)) {
            return None;
        }
        let sign = if unsigned.len() < digits.len() { "-" } else { "" };
        Some(format!("{sign}{whole}.{fraction}E{}", exponent.unwrap_or("0")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_by_tag() {
        for (tag, month) in [
            ("de", Some("März")),
            ("de-DE", Some("März")),
            ("fr_FR", Some("mars")),
            ("en-US", Some("March")),
            ("de-AT", None),
            ("xx", None),
        ] {
            assert_eq!(Locale::named(tag).map(|l| l.months[0][2]), month, "{tag}");
        }
    }

    #[test]
    fn numbers_by_locale() {
        for (tag, text, expect) in [
            ("de", "1.234,5", Some("1234.5E0")),
            ("de", "-1,5", Some("-1.5E0")),
            ("de", "1,5E2", Some("1.5E2")),
            ("de", "1,5Ex", None),
            ("de", "+1", None),
            ("ja", "1,234.5", Some("1234.5E0")),
            ("fr", "1\u{202f}234,5", Some("1234.5E0")),
            ("en", "1,234.5", Some("1234.5")),
        ] {
            let locale = Locale::named(tag).expect("known");
            assert_eq!(locale.plain_number(text).as_deref(), expect, "{tag} {text}");
        }
    }
}
