//! Turns of a conversation, whichever of the usual spellings they come in: what they say, and whether they are trained.

use std::borrow::Cow;

use crate::columns::{Column, Values};
use crate::value::{Unsure, Value, is_blank, may_be_json};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    Assistant,
    System,
    Tool,
}

/// What a turn is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) role: Role,
    /// Whether it is trained: the assistant's, not of weight 0, with words, a call or a thought.
    pub(crate) answer: bool,
    /// Whether its weight was understood.
    pub(crate) sure: bool,
}

/// Members that the normal form replaces, and those that hold thoughts.
const READ: [&str; 12] = [
    "role",
    "from",
    "content",
    "value",
    "tool_calls",
    "tool_call",
    "function_call",
    "weight",
    "loss_weight",
    "reasoning_content",
    "reasoning",
    "thinking",
];
const ROLE: usize = 0;
const FROM: usize = 1;
const CONTENT: usize = 2;
const VALUE: usize = 3;
const TOOL_CALLS: usize = 4;
const LEGACY_CALLS: [usize; 2] = [5, 6];
const WEIGHT: usize = 7;
const LOSS_WEIGHT: usize = 8;
const THOUGHTS: [usize; 3] = [9, 10, 11];

/// The name of a speaker: its role, and whether such turns are nothing but a call.
fn role_of(name: &str) -> Option<(Role, bool)> {
    Some(match name {
        "user" | "human" => (Role::User, false),
        "assistant" | "gpt" | "model" | "chatgpt" | "bot" => (Role::Assistant, false),
        "system" | "developer" => (Role::System, false),
        "tool" | "observation" | "function" | "function_response" | "tool_response" | "ipython" => {
            (Role::Tool, false)
        }
        "function_call" | "tool_call" => (Role::Assistant, true),
        _ => return None,
    })
}

/// A column of messages: where each member that is read lies.
#[derive(Debug)]
pub(crate) struct Messages<'c, 'a> {
    members: &'c [Column<'a>],
    places: [Option<usize>; READ.len()],
}

/// A message: a row of such a column, or an object.
#[derive(Debug, Clone, Copy)]
enum Message<'m, 'c, 'a> {
    Row(&'m Messages<'c, 'a>, usize),
    Object(&'m Value<'a>),
}

impl<'c, 'a> Messages<'c, 'a> {
    pub(crate) fn new(members: &'c [Column<'a>]) -> Self {
        Self { members, places: READ.map(|name| members.iter().position(|member| member.name == name)) }
    }

    /// Appends what a message says, a line break before it where `out` has words since `start`.
    pub(crate) fn turn(&self, row: usize, out: &mut Vec<u8>, start: usize) -> Result<Turn, Unsure> {
        read_turn(Message::Row(self, row), out, start)
    }
}

/// As [`Messages::turn`], of a message that is a value: an object, or the JSON text of one.
pub(crate) fn turn_of(message: Value<'_>, out: &mut Vec<u8>, start: usize) -> Result<Turn, Unsure> {
    match message.read()? {
        message @ Value::Object(_) => read_turn(Message::Object(&message), out, start),
        _ => Err(Unsure),
    }
}

impl<'a> Message<'_, '_, 'a> {
    fn get(self, member: usize) -> Result<Option<Value<'a>>, Unsure> {
        match self {
            Self::Row(messages, row) => match messages.places[member].map(|place| &messages.members[place]) {
                Some(column) if !column.is_null(row) => Value::of_row(column, row).map(Some),
                _ => Ok(None),
            },
            Self::Object(object) => Ok(object.get(READ[member]).cloned()),
        }
    }

    /// The first of two members that is there, were it null.
    fn either(self, first: usize, second: usize) -> Result<Option<Value<'a>>, Unsure> {
        match self.get(first)? {
            None => self.get(second),
            found => Ok(found),
        }
    }

    /// Whether it has only members beside which an answer may be empty.
    fn says_nothing_else(self) -> bool {
        let beside = |name: &str| READ.contains(&name) || name == "name";
        match self {
            Self::Row(messages, row) => {
                messages.members.iter().all(|member| beside(member.name) || member.is_null(row))
            }
            Self::Object(Value::Object(members)) => {
                members.iter().all(|(name, value)| beside(name) || matches!(value, Value::Null))
            }
            Self::Object(_) => false,
        }
    }
}

/// A call: the name of the function and its arguments.
struct Call<'a>(Cow<'a, str>, Value<'a>);

fn read_turn(message: Message<'_, '_, '_>, out: &mut Vec<u8>, start: usize) -> Result<Turn, Unsure> {
    let Some(Value::Text(name)) = message.either(ROLE, FROM)? else { return Err(Unsure) };
    let (role, is_call) = match role_of(&name) {
        Some(found) => found,
        None => role_of(&name.trim_ascii().to_ascii_lowercase()).ok_or(Unsure)?,
    };
    let mut content = message.either(CONTENT, VALUE)?.unwrap_or(Value::Null);
    let mut calls = calls_of(message)?;
    if is_call && let Some(spelled) = spelled_calls(content.clone())? {
        (content, calls) = (Value::Text(Cow::Borrowed("")), spelled);
    }
    let before = out.len();
    if role != Role::System && before > start {
        out.push(b'\n');
    }
    let words = out.len();
    match &content {
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Null if !calls.is_empty() || (role == Role::Assistant && message.says_nothing_else()) => {}
        Value::Null => return Err(Unsure),
        parts => match text_of_parts(parts) {
            Some(texts) => texts.iter().for_each(|text| out.extend_from_slice(text.as_bytes())),
            None if role == Role::Tool => content.dump(out),
            None => return Err(Unsure),
        },
    }
    let (weight, sure) = if role == Role::Assistant { trained(message) } else { (false, true) };
    let answer = weight
        && (!calls.is_empty()
            || std::str::from_utf8(&out[words..]).is_ok_and(|content| !is_blank(content))
            || has_thought(message)?);
    if role == Role::System || out.len() == words {
        out.truncate(before);
    }
    if role != Role::System {
        for Call(name, arguments) in calls {
            if out.len() > start {
                out.push(b'\n');
            }
            out.extend_from_slice(name.as_bytes());
            out.push(b' ');
            match arguments {
                Value::Text(text) => out.extend_from_slice(text.as_bytes()),
                other => other.dump(out),
            }
        }
    }
    Ok(Turn { role, answer, sure })
}

/// Whether an assistant turn is trained, and whether that is sure.
fn trained(message: Message<'_, '_, '_>) -> (bool, bool) {
    match message.either(WEIGHT, LOSS_WEIGHT) {
        Ok(None | Some(Value::Null) | Some(Value::Bool(true))) => (true, true),
        Ok(Some(Value::Bool(false))) => (false, true),
        Ok(Some(Value::Int(digits))) if digits == "1" => (true, true),
        Ok(Some(Value::Int(digits))) if digits == "0" => (false, true),
        Ok(Some(Value::Float(1.0))) => (true, true),
        Ok(Some(Value::Float(0.0))) => (false, true),
        _ => (true, false),
    }
}

fn has_thought(message: Message<'_, '_, '_>) -> Result<bool, Unsure> {
    for thought in THOUGHTS {
        if let Some(Value::Text(text)) = message.get(thought)?
            && !is_blank(&text)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The texts that a list of typed parts is; none where it is no list, or a part is no text.
pub(crate) fn text_of_parts<'v>(content: &'v Value<'_>) -> Option<Vec<&'v str>> {
    let Value::List(parts) = content else { return None };
    parts.iter().map(part_text).collect()
}

fn part_text<'v>(part: &'v Value<'_>) -> Option<&'v str> {
    match part {
        Value::Text(text) => Some(text),
        Value::Object(_) => {
            let is_text = match part.get("type") {
                None => true,
                Some(Value::Text(kind)) => matches!(&**kind, "text" | "input_text" | "output_text"),
                Some(_) => false,
            };
            let member = |name| match part.get(name) {
                Some(Value::Text(text)) => Some(&**text),
                _ => None,
            };
            if is_text { ["text", "value", "content"].into_iter().find_map(member) } else { None }
        }
        _ => None,
    }
}

fn is_nothing(value: &Value<'_>) -> bool {
    matches!(value, Value::Null) || matches!(value, Value::Text(text) if text.is_empty())
}

fn calls_of<'a>(message: Message<'_, '_, 'a>) -> Result<Vec<Call<'a>>, Unsure> {
    let mut calls = message.get(TOOL_CALLS)?.unwrap_or(Value::Null).read()?;
    if is_nothing(&calls) {
        let mut legacy = Value::Null;
        for member in LEGACY_CALLS {
            if matches!(legacy, Value::Null) {
                legacy = message.get(member)?.unwrap_or(Value::Null);
            }
        }
        let legacy = legacy.read()?;
        calls = Value::List(if is_nothing(&legacy) { Vec::new() } else { vec![legacy] });
    }
    match calls {
        Value::List(calls) => calls.into_iter().map(|call| call_of(call)?.ok_or(Unsure)).collect(),
        call @ Value::Object(_) => Ok(vec![call_of(call)?.ok_or(Unsure)?]),
        _ => Err(Unsure),
    }
}

/// One call; none where it has no name.
fn call_of(call: Value<'_>) -> Result<Option<Call<'_>>, Unsure> {
    let mut call = call.read()?;
    if !matches!(call, Value::Object(_)) {
        return Ok(None);
    }
    let mut function = match call.take("function") {
        Some(function) => function.read()?,
        None => call,
    };
    let Some(Value::Text(name)) = function.take("name") else { return Ok(None) };
    let arguments = match function.take("arguments") {
        Some(arguments) => arguments,
        None => function.take("parameters").unwrap_or(Value::Null),
    };
    let arguments = match arguments {
        Value::Text(text) if is_blank(&text) => Value::Object(Vec::new()),
        Value::Text(text) => Value::try_json(text)?,
        Value::Null => Value::Object(Vec::new()),
        other => other,
    };
    Ok(Some(Call(name, arguments)))
}

/// The calls that a turn which is nothing but a call spells; none where it spells none.
fn spelled_calls(content: Value<'_>) -> Result<Option<Vec<Call<'_>>>, Unsure> {
    let calls = match content.read()? {
        Value::List(calls) if calls.is_empty() => return Ok(None),
        Value::List(calls) => calls,
        call => vec![call],
    };
    calls.into_iter().map(call_of).collect()
}

/// Whether the tools that are offered can be read.
pub(crate) fn are_tools(tools: Value<'_>) -> Result<bool, Unsure> {
    let tools = match tools {
        Value::Text(text) if is_blank(&text) || is_null(&text) => return Ok(true),
        Value::Text(text) if !may_be_json(&text) => return Ok(false),
        tools => tools.read()?,
    };
    match tools {
        Value::Null => Ok(true),
        Value::List(tools) => {
            for tool in tools {
                if !is_tool(tool)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        tool => is_tool(tool),
    }
}

fn is_null(text: &str) -> bool {
    text.trim_matches(|character: char| character.is_whitespace() || ('\x1C'..='\x1F').contains(&character))
        == "null"
}

fn is_tool(tool: Value<'_>) -> Result<bool, Unsure> {
    let mut tool = tool.read()?;
    if !matches!(tool, Value::Object(_)) {
        return Ok(false);
    }
    let function = match tool.take("function") {
        Some(text @ Value::Text(_)) => text.read()?,
        Some(Value::Null) | None => tool,
        Some(function) => function,
    };
    Ok(matches!(function.get("name"), Some(Value::Text(_))))
}

/// Whether a column holds messages as structs.
pub(crate) fn members_of<'c, 'a>(items: &'c Column<'a>) -> Option<Messages<'c, 'a>> {
    match &items.values {
        Values::Struct(members) => Some(Messages::new(members)),
        _ => None,
    }
}
