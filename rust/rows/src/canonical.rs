//! The canonical JSON of a row: the same text for the same row, whichever way it is held.
//!
//! Members are sorted by their names, null members are left out, objects that are held as JSON text are objects, and
//! whole numbers have no fraction.

use std::borrow::Cow;
use std::io::Write as _;
use std::ops::Range;

use crate::columns::{Column, Number, Values};
use crate::json::{Fault, Kind, Node, Tape, half_at, push_float, push_quoted, push_whole_float};
use crate::recent::Recent;
use crate::value::may_be_json;

/// Names under which objects are usually held as JSON text.
const OBJECTS: [&str; 4] = ["arguments", "conversations", "messages", "tools"];
/// Text that is JSON and lies in text that is JSON, so deep.
const MAX_SPELLED: usize = 16;
/// Bytes from which it pays to look whether a JSON text was there a moment ago.
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
    nodes: Vec<Node>,
    /// What was written of JSON texts, by the texts and whether their strings may be objects: rows of one data set often
    /// bring the same tools.
    written: Recent<(&'a str, bool, Vec<u8>)>,
    /// Where such values lie in the last object.
    pieces: Vec<Range<usize>>,
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
        let (nodes, written, pieces) = (Vec::new(), Recent::default(), Vec::new());
        Self { members: sorted(columns.iter()), nodes, written, pieces }
    }

    /// Appends the object of a row, or names the JSON text for which it has none.
    pub(crate) fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), (Fault, &'a str)> {
        let Self { members, nodes, written, pieces } = self;
        pieces.clear();
        write_members(members, out, |plan, out| {
            let text = match &plan.column.values {
                Values::Json(texts) if !plan.column.is_null(row) => texts.value(row),
                _ => "",
            };
            if text.len() < WORTHWHILE {
                return write_value(plan, row, out, nodes);
            }
            let (objects, before) = (plan.objects, out.len());
            match written.find(|(known, of_objects, _)| *known == text && *of_objects == objects) {
                Some((_, _, known)) => out.extend_from_slice(known),
                None if !write_value(plan, row, out, nodes)? => return Ok(false),
                None => written.add((text, objects, out[before..].to_vec())),
            }
            pieces.push(before..out.len());
            Ok(true)
        })
    }

    /// Where values of columns of JSON text lie in the object that was written last, those that may come again.
    pub(crate) fn pieces(&self) -> &[Range<usize>] {
        &self.pieces
    }
}

/// Appends an object of the members of which `write` appends the value, or says that there is none.
fn write_members<'c, 'a, E>(
    members: &[Member<'c, 'a>],
    out: &mut Vec<u8>,
    mut write: impl FnMut(&Plan<'c, 'a>, &mut Vec<u8>) -> Result<bool, E>,
) -> Result<(), E> {
    let brace = out.len();
    for member in members {
        let before = out.len();
        out.extend_from_slice(&member.key);
        if !write(&member.value, out)? {
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
    nodes: &mut Vec<Node>,
) -> Result<bool, (Fault, &'a str)> {
    let column = plan.column;
    if column.is_null(row) {
        return Ok(false);
    }
    match (&column.values, &plan.inner) {
        (Values::Json(texts), _) => {
            let text = texts.value(row);
            return write_json(text.as_bytes(), plan.objects, out, nodes).map_err(|fault| (fault, text));
        }
        (Values::Text(texts), _) => {
            let text = texts.value(row);
            if plan.objects {
                write_spelled(text.as_bytes(), out, nodes, 0).map_err(|fault| (fault, text))?;
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
                if !write_value(item, index, out, nodes)? {
                    out.extend_from_slice(b"null");
                }
            }
            out.push(b']');
        }
        (Values::Struct(_), Inner::Members(members)) => {
            write_members(members, out, |plan, out| write_value(plan, row, out, nodes))?;
        }
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
