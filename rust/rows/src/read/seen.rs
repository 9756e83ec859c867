//! What each place of the rows has held so far.
//!
//! Values are looked at one after the other, in parts whose trees are merged in order: the result does not depend on
//! where the parts were cut.

use super::rows::{Node, Rows, What};
use super::transcribe::float;
use super::{ARGUMENTS, ITEM, is_content_key, is_text_key};
use crate::json::same_name;

/// Arrow IPC refuses more than 64 levels; nothing so deep is a table any more.
const MAX_TYPED_DEPTH: usize = 16;
/// Nor is anything so wide.
const MAX_FIELDS: usize = 256;
const EXACT_FLOAT: i64 = 1 << 53;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number with a fraction or an exponent.
    Float,
    /// A string.
    String,
    /// A list.
    List,
    /// An object.
    Object,
}

impl Kind {
    /// All kinds, in their order.
    pub const ALL: [Self; 6] = [Self::Bool, Self::Int, Self::Float, Self::String, Self::List, Self::Object];

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The kind of a value, none of null.
    pub(super) fn of(what: What) -> Option<Self> {
        Some(match what {
            What::Null => return None,
            What::True | What::False => Self::Bool,
            What::Int => Self::Int,
            What::Float => Self::Float,
            What::String => Self::String,
            What::List | What::JsonList => Self::List,
            What::Object | What::JsonObject => Self::Object,
        })
    }

    /// What it is called.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::Float => "a decimal number",
            Self::String => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }

    /// The kind that stands for all those that go together in a column.
    #[must_use]
    pub fn family(self) -> Self {
        if self == Self::Int { Self::Float } else { self }
    }
}

/// Labels of columns: the kinds, and whole numbers that no float holds.
pub(super) const LABELS: usize = Kind::ALL.len() + 1;
/// The label of whole numbers that no float holds.
pub(super) const INEXACT: usize = Kind::ALL.len();

/// What one place in the rows has held.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) name: Box<[u8]>,
    /// 0 for a column.
    pub(super) depth: usize,
    /// Whether the values are items of a list.
    pub(super) in_list: bool,
    pub(super) kinds: u8,
    pub(super) null: bool,
    pub(super) absent: bool,
    pub(super) inexact: bool,
    /// Whether it is known that values are held as JSON text.
    pub(super) text: bool,
    pub(super) item: Option<Box<Seen>>,
    pub(super) fields: Vec<Seen>,
    /// Objects that were looked at, and for a field the last of them that had it.
    objects: u64,
    stamp: u64,
    /// For a column: the first row with each label.
    pub(super) first: [Option<usize>; LABELS],
}

impl Seen {
    fn new(name: &[u8], depth: usize, in_list: bool) -> Self {
        Self {
            name: name.into(),
            depth,
            in_list,
            kinds: 0,
            null: false,
            absent: false,
            inexact: false,
            text: false,
            item: None,
            fields: Vec::new(),
            objects: 0,
            stamp: 0,
            first: [None; LABELS],
        }
    }

    pub(super) fn holds(&self, kind: Kind) -> bool {
        self.kinds & kind.bit() != 0
    }

    /// Whether no single scalar, list or object type holds all values without loss.
    pub(super) fn is_mixed(&self) -> bool {
        let int = if self.holds(Kind::Float) && !self.inexact { Kind::Int.bit() } else { 0 };
        (self.kinds & !int).count_ones() > 1
    }

    /// Whether several kinds are an error here: in a column, unless its name says that it holds anything.
    pub(super) fn refuses_mixture(&self) -> bool {
        self.depth == 0 && !is_text_key(&self.name)
    }

    /// Whether kinds of several families were met.
    pub(super) fn has_families(&self) -> bool {
        let numbers = Kind::Int.bit() | Kind::Float.bit();
        (self.kinds & !numbers).count_ones() + u32::from(self.kinds & numbers != 0) > 1
    }

    fn look(&mut self, rows: &Rows<'_>, at: u32) {
        let node = rows.nodes[at as usize];
        let Some(kind) = Kind::of(node.what) else {
            self.null = true;
            return;
        };
        // Another string among strings tells nothing new.
        if self.text || (kind == Kind::String && self.kinds == Kind::String.bit()) {
            self.kinds |= kind.bit();
            return;
        }
        self.kinds |= kind.bit();
        if kind == Kind::Int {
            self.inexact = self.inexact || is_inexact(rows.raw(node));
        }
        let container = matches!(kind, Kind::List | Kind::Object);
        let by_name = (container && is_text_key(&self.name))
            || (kind == Kind::String && *self.name == *ARGUMENTS)
            || (kind == Kind::Object && self.depth > 0 && is_content_key(&self.name));
        let too_deep = container && self.depth >= MAX_TYPED_DEPTH;
        if by_name || too_deep || (self.is_mixed() && !self.refuses_mixture()) {
            self.text = true;
            return;
        }
        match kind {
            Kind::List => {
                let depth = self.depth + 1;
                let item = self.item.get_or_insert_with(|| Box::new(Self::new(ITEM, depth, true)));
                rows.items(at).for_each(|value| item.look(rows, value));
            }
            Kind::Object => self.look_at_object(rows, at),
            _ => {}
        }
    }

    fn look_at_object(&mut self, rows: &Rows<'_>, at: u32) {
        let (first, depth) = (self.objects == 0, self.depth + 1);
        self.objects += 1;
        let (mut found, mut next) = (0, 0);
        let mut text = false;
        rows.for_each_member(at, |name, value| {
            if text {
                return;
            }
            let place = match place_of(&self.fields, name, next) {
                Some(place) => place,
                // The keys of an object that is in no list are those of the first.
                None if name.is_empty() || self.fields.len() == MAX_FIELDS || !(first || self.in_list) => {
                    text = true;
                    return;
                }
                None => {
                    let mut field = Self::new(name, depth, false);
                    field.absent = !first;
                    self.fields.push(field);
                    self.fields.len() - 1
                }
            };
            next = place + 1;
            found += 1;
            self.fields[place].stamp = self.objects;
            self.fields[place].look(rows, value);
        });
        if text || (!self.in_list && found < self.fields.len()) {
            self.text = true;
        } else if found < self.fields.len() {
            let objects = self.objects;
            self.fields.iter_mut().for_each(|field| field.absent |= field.stamp != objects);
        }
    }

    /// Takes in what a later part has held at this place.
    fn merge(&mut self, mut later: Self) {
        self.null |= later.null;
        self.absent |= later.absent;
        self.inexact |= later.inexact;
        self.kinds |= later.kinds;
        self.text |= later.text || (self.is_mixed() && !self.refuses_mixture());
        if self.text {
            return;
        }
        match (&mut self.item, later.item.take()) {
            (Some(item), Some(other)) => item.merge(*other),
            (item @ None, other) => *item = other,
            _ => {}
        }
        if later.objects == 0 {
            return;
        }
        if self.objects == 0 {
            self.fields = later.fields;
        } else if self.in_list {
            let known = self.fields.len();
            let mut there = vec![false; known];
            for mut field in later.fields {
                match place_of(&self.fields, &field.name, 0) {
                    Some(place) => {
                        there[place] = true;
                        self.fields[place].merge(field);
                    }
                    None => {
                        field.absent = true;
                        self.fields.push(field);
                    }
                }
            }
            self.fields.iter_mut().zip(there).for_each(|(field, there)| field.absent |= !there);
            self.text = self.fields.len() > MAX_FIELDS;
        } else {
            self.text = self.fields.len() != later.fields.len();
            for field in later.fields {
                match place_of(&self.fields, &field.name, 0) {
                    Some(place) => self.fields[place].merge(field),
                    None => self.text = true,
                }
            }
        }
        self.objects += later.objects;
    }
}

/// Where the field of this name is; it is looked for at `next` first.
pub(super) fn place_of(fields: &[Seen], name: &[u8], next: usize) -> Option<usize> {
    if fields.get(next).is_some_and(|field| same_name(&field.name, name)) {
        return Some(next);
    }
    fields.iter().position(|field| same_name(&field.name, name))
}

/// Whether a 64-bit float cannot hold a whole number.
fn is_inexact(digits: &[u8]) -> bool {
    if digits.len() < 16 {
        return false;
    }
    let value: i64 = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
    !(-EXACT_FLOAT..=EXACT_FLOAT).contains(&value) && value as f64 as i128 != i128::from(value)
}

/// What the columns of rows have held.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    pub(super) columns: Vec<Seen>,
    /// Rows that could be used.
    pub(super) good: usize,
}

impl Columns {
    /// Looks at the rows of a part but for those that `skip` says; the names of all are noted.
    pub(super) fn observe(rows: &Rows<'_>, skip: impl Fn(usize) -> bool) -> Self {
        let mut seen = Self::default();
        for (row, root) in rows.roots.iter().enumerate() {
            let Some(root) = *root else { continue };
            let is_good = !skip(row);
            let (mut found, mut next) = (0, 0);
            let columns = &mut seen.columns;
            let stamp = row as u64 + 1;
            rows.for_each_member(root, |name, value| {
                let place = place_of(columns, name, next).unwrap_or_else(|| {
                    columns.push(Seen::new(name, 0, false));
                    let place = columns.len() - 1;
                    columns[place].absent = seen.good > 0;
                    place
                });
                next = place + 1;
                if is_good {
                    found += 1;
                    columns[place].stamp = stamp;
                    columns[place].note(row, rows.nodes[value as usize], rows);
                    columns[place].look(rows, value);
                }
            });
            if is_good {
                seen.good += 1;
                if found < columns.len() {
                    columns.iter_mut().for_each(|column| column.absent |= column.stamp != stamp);
                }
            }
        }
        seen
    }

    /// Takes in what a later part has held, whose rows are counted on from `first`.
    pub(super) fn merge(&mut self, later: Self, first: usize) {
        let known = self.columns.len();
        let mut there = vec![false; known];
        for mut column in later.columns {
            column.first.iter_mut().flatten().for_each(|row| *row += first);
            match place_of(&self.columns, &column.name, 0) {
                Some(place) => {
                    if let Some(there) = there.get_mut(place) {
                        *there = true;
                    }
                    let own = &mut self.columns[place];
                    own.first.iter_mut().zip(column.first).for_each(|(own, later)| *own = own.or(later));
                    own.merge(column);
                }
                None => {
                    column.absent |= self.good > 0;
                    self.columns.push(column);
                }
            }
        }
        if later.good > 0 {
            self.columns.iter_mut().zip(there).for_each(|(column, there)| column.absent |= !there);
        }
        self.good += later.good;
    }
}

impl Seen {
    /// Notes the first row of each label.
    fn note(&mut self, row: usize, node: Node, rows: &Rows<'_>) {
        let Some(kind) = Kind::of(node.what) else { return };
        self.first[kind as usize].get_or_insert(row);
        if kind == Kind::Int && self.first[INEXACT].is_none() && is_inexact(rows.raw(node)) {
            self.first[INEXACT] = Some(row);
        }
    }
}

/// Whether a part of a value is a number that is too large for a float, and so where: in JSON text, or in a column.
pub(super) fn is_infinite(rows: &Rows<'_>, at: u32) -> bool {
    let node = rows.nodes[at as usize];
    match node.what {
        What::Float => float(rows.raw(node)).is_infinite(),
        What::List => rows.items(at).any(|item| is_infinite(rows, item)),
        What::Object => rows.items(at).skip(1).step_by(2).any(|value| is_infinite(rows, value)),
        What::JsonList | What::JsonObject => {
            // Written as Python writes it, which no strict JSON has outside of strings.
            let text = &rows.texts[node.start as usize..node.end as usize];
            memchr::memmem::find_iter(text, b"Infinity").any(|place| is_outside_strings(text, place))
        }
        _ => false,
    }
}

fn is_outside_strings(text: &[u8], place: usize) -> bool {
    let (mut at, mut inside) = (0, false);
    while at < place {
        match text[at] {
            b'\\' if inside => at += 1,
            b'"' => inside = !inside,
            _ => {}
        }
        at += 1;
    }
    !inside
}
