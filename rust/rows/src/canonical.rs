//! The canonical JSON of a row: the same text for the same row, whichever way it is held.
//!
//! Members are sorted by their names, null members are left out, objects that are held as JSON text are objects, and
//! whole numbers have no fraction.

use std::borrow::Cow;
use std::io::Write as _;

use crate::columns::{Column, Number, Values};
use crate::json::{Fault, Kind, Node, Tape, half_at, push_float, push_quoted, push_whole_float};
use crate::value::may_be_json;

/// Names under which objects are usually held as JSON text.
const OBJECTS: [&str; 4] = ["arguments", "conversations", "messages", "tools"];
/// Text that is JSON and lies in text that is JSON, so deep.
const MAX_SPELLED: usize = 16;
/// JSON texts that are remembered, and the bytes from which it pays to look.
const REMEMBERED: usize = 16;
const WORTHWHILE: usize = 64;

/// Why a row has no canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The row, among those of all batches.
    pub row: usize,
    /// What is wrong.
    pub fault: Fault,
    /// The JSON text that is wrong.
    pub text: String,
}

fn is_object_name(name: &[u8]) -> bool {
    OBJECTS.iter().any(|object| object.as_bytes() == name)
}

/// The columns of a batch as the members of its rows' objects.
#[derive(Debug)]
pub(crate) struct Writer<'c, 'a> {
    members: Vec<Member<'c, 'a>>,
    scratch: Scratch<'a>,
}

/// What is used again from value to value.
#[derive(Debug, Default)]
struct Scratch<'a> {
    nodes: Vec<Node>,
    written: Written<'a>,
}

/// JSON texts that were written a moment ago, and what was written of them: rows of one data set often bring the same
/// tools.
#[derive(Debug, Default)]
struct Written<'a> {
    texts: Vec<(&'a str, bool, Vec<u8>)>,
    /// The oldest, which goes next.
    oldest: usize,
}

impl<'a> Written<'a> {
    fn find(&self, text: &str, objects: bool) -> Option<&[u8]> {
        let same = |(known, of_objects, _): &&(&str, bool, Vec<u8>)| *known == text && *of_objects == objects;
        self.texts.iter().find(same).map(|(_, _, written)| &**written)
    }

    fn add(&mut self, text: &'a str, objects: bool, written: &[u8]) {
        if text.len() < WORTHWHILE {
            return;
        }
        if self.texts.len() < REMEMBERED {
            self.texts.push((text, objects, written.to_vec()));
            return;
        }
        let oldest = &mut self.texts[self.oldest];
        (oldest.0, oldest.1) = (text, objects);
        oldest.2.clear();
        oldest.2.extend_from_slice(written);
        self.oldest = (self.oldest + 1) % REMEMBERED;
    }
}

#[derive(Debug)]
struct Member<'c, 'a> {
    /// `,"name":`
    key: Vec<u8>,
    value: Plan<'c, 'a>,
}

/// A column with the members of structs sorted.
#[derive(Debug)]
struct Plan<'c, 'a> {
    column: &'c Column<'a>,
    objects: bool,
    inner: Inner<'c, 'a>,
}

#[derive(Debug)]
enum Inner<'c, 'a> {
    None,
    Item(Box<Plan<'c, 'a>>),
    Members(Vec<Member<'c, 'a>>),
}

impl<'c, 'a> Plan<'c, 'a> {
    fn new(column: &'c Column<'a>) -> Self {
        let inner = match &column.values {
            Values::List(_, items) => Inner::Item(Box::new(Self::new(items))),
            Values::Struct(members) => Inner::Members(sorted(members.iter())),
            _ => Inner::None,
        };
        Self { column, objects: is_object_name(column.name.as_bytes()), inner }
    }
}

fn sorted<'c, 'a: 'c>(columns: impl Iterator<Item = &'c Column<'a>>) -> Vec<Member<'c, 'a>> {
    let mut columns: Vec<&Column<'a>> = columns.collect();
    columns.sort_by_key(|column| column.name);
    let member = |column: &'c Column<'a>| {
        let mut key = vec![b','];
        push_quoted(&mut key, column.name.as_bytes());
        key.push(b':');
        Member { key, value: Plan::new(column) }
    };
    columns.into_iter().map(member).collect()
}

impl<'c, 'a> Writer<'c, 'a> {
    /// A writer of the objects whose members are these columns.
    pub(crate) fn new(columns: &'c [Column<'a>]) -> Self {
        Self { members: sorted(columns.iter()), scratch: Scratch::default() }
    }

    /// Appends the object of a row, or names the JSON text for which it has none.
    pub(crate) fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), (Fault, &'a str)> {
        write_members(&self.members, row, out, &mut self.scratch)
    }
}

fn write_members<'a>(
    members: &[Member<'_, 'a>],
    row: usize,
    out: &mut Vec<u8>,
    scratch: &mut Scratch<'a>,
) -> Result<(), (Fault, &'a str)> {
    let brace = out.len();
    for member in members {
        let before = out.len();
        out.extend_from_slice(&member.key);
        if !write_value(&member.value, row, out, scratch)? {
            out.truncate(before);
        }
    }
    if out.len() == brace {
        out.push(b'{');
    } else {
        out[brace] = b'{';
    }
    out.push(b'}');
    Ok(())
}

/// Appends a value, or nothing where it is null.
fn write_value<'a>(
    plan: &Plan<'_, 'a>,
    row: usize,
    out: &mut Vec<u8>,
    scratch: &mut Scratch<'a>,
) -> Result<bool, (Fault, &'a str)> {
    let column = plan.column;
    if column.is_null(row) {
        return Ok(false);
    }
    match (&column.values, &plan.inner) {
        (Values::Json(texts), _) => {
            let (text, before) = (texts.value(row), out.len());
            if let Some(written) = scratch.written.find(text, plan.objects) {
                out.extend_from_slice(written);
                return Ok(true);
            }
            let written = write_json(text.as_bytes(), plan.objects, out, &mut scratch.nodes);
            if matches!(written, Ok(true)) {
                scratch.written.add(text, plan.objects, &out[before..]);
            }
            return written.map_err(|fault| (fault, text));
        }
        (Values::Text(texts), _) => {
            let text = texts.value(row);
            if plan.objects {
                write_spelled(text.as_bytes(), out, &mut scratch.nodes, 0).map_err(|fault| (fault, text))?;
            } else {
                push_quoted(out, text.as_bytes());
            }
        }
        (Values::Written(texts), _) => out.extend_from_slice(texts.value(row).as_bytes()),
        (Values::Bool(array), _) => out.extend_from_slice(if array.value(row) { b"true" } else { b"false" }),
        (Values::Number(numbers), _) => match numbers.value(row) {
            Number::Int(value) => _ = write!(out, "{value}"),
            Number::Unsigned(value) => _ = write!(out, "{value}"),
            Number::Float(value) => push_whole_float(out, value),
        },
        (Values::List(lists, _), Inner::Item(item)) => {
            out.push(b'[');
            for (place, index) in lists.range(row).enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                if !write_value(item, index, out, scratch)? {
                    out.extend_from_slice(b"null");
                }
            }
            out.push(b']');
        }
        (Values::Struct(_), Inner::Members(members)) => write_members(members, row, out, scratch)?,
        _ => return Err((Fault::Syntax, "")),
    }
    Ok(true)
}

/// Appends the value of a JSON text, or nothing where that is null.
fn write_json(text: &[u8], objects: bool, out: &mut Vec<u8>, nodes: &mut Vec<Node>) -> Result<bool, Fault> {
    let tape = Tape::parse(text, std::mem::take(nodes))?;
    let null = tape.nodes[0].kind == Kind::Null;
    let written = if null { Ok(()) } else { write_node(&tape, 0, objects, out, 0) };
    *nodes = tape.nodes;
    written.map(|()| !null)
}

/// Appends the object or list that a text spells, or the text where it spells none.
fn write_spelled(text: &[u8], out: &mut Vec<u8>, nodes: &mut Vec<Node>, depth: usize) -> Result<(), Fault> {
    let may_be = std::str::from_utf8(text).is_ok_and(may_be_json);
    if may_be {
        if depth == MAX_SPELLED {
            return Err(Fault::Deep);
        }
        match Tape::parse(text, std::mem::take(nodes)) {
            Ok(tape) => {
                let is_one = matches!(tape.nodes[0].kind, Kind::List | Kind::Object);
                let written = if is_one { write_node(&tape, 0, false, out, depth + 1) } else { Ok(()) };
                *nodes = tape.nodes;
                if is_one {
                    return written;
                }
            }
            Err(Fault::Syntax) => {}
            Err(fault) => return Err(fault),
        }
    }
    push_quoted(out, text);
    Ok(())
}

/// Appends a value of a text; `objects` says that strings may be objects.
fn write_node(
    tape: &Tape<'_>,
    at: usize,
    objects: bool,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), Fault> {
    match tape.nodes[at].kind {
        Kind::Null | Kind::True | Kind::False => out.extend_from_slice(tape.raw(at)),
        Kind::Int => match tape.raw(at) {
            b"-0" => out.push(b'0'),
            digits => out.extend_from_slice(digits),
        },
        Kind::Float => {
            let value = std::str::from_utf8(tape.raw(at)).ok().and_then(|text| text.parse::<f64>().ok());
            let value = value.ok_or(Fault::Syntax)?;
            if value.is_finite() { push_whole_float(out, value) } else { push_float(out, value) }
        }
        Kind::String => {
            let text = whole(tape, at)?;
            if objects {
                write_spelled(&text, out, &mut Vec::new(), depth)?;
            } else {
                push_quoted(out, &text);
            }
        }
        Kind::List => {
            out.push(b'[');
            for (place, item) in tape.items(at).enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write_node(tape, item, objects, out, depth)?;
            }
            out.push(b']');
        }
        Kind::Object => {
            let mut members = tape.members(at);
            members.retain(|&(_, value)| tape.nodes[value].kind != Kind::Null);
            members.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            out.push(b'{');
            for (place, (key, value)) in members.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                if half_at(key).is_some() {
                    return Err(Fault::HalfCharacter);
                }
                push_quoted(out, key);
                out.push(b':');
                write_node(tape, *value, is_object_name(key), out, depth)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn whole<'a>(tape: &Tape<'a>, at: usize) -> Result<Cow<'a, [u8]>, Fault> {
    if tape.nodes[at].half { Err(Fault::HalfCharacter) } else { Ok(tape.text(at)) }
}
