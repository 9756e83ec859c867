//! The reader over chunks and parts of text, whatever the threads.

#![allow(clippy::unwrap_used, missing_docs)]

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use proptest::prelude::*;
use sage_select_core::Unwatched;
use sage_select_rows::read::{JsonTable, Taken};

fn table(chunks: &[&str]) -> (Vec<Taken>, SchemaRef, Vec<RecordBatch>) {
    read(JsonTable::default(), chunks)
}

fn read(mut table: JsonTable, chunks: &[&str]) -> (Vec<Taken>, SchemaRef, Vec<RecordBatch>) {
    let taken = chunks.iter().map(|chunk| table.take_lines(chunk.as_bytes(), &Unwatched).unwrap()).collect();
    for (chunk, text) in chunks[..table.stale()].iter().enumerate() {
        assert!(table.rebuild(chunk, text.as_bytes(), false, &Unwatched).unwrap());
    }
    assert_eq!(table.stale(), 0);
    let (schema, batches) = table.finish().unwrap();
    (taken, schema, batches)
}

/// The values of a table as text, row after row.
fn shown(batches: &[RecordBatch]) -> Vec<String> {
    batches
        .iter()
        .flat_map(|batch| {
            (0..batch.num_rows()).map(|row| {
                let values = batch.columns().iter().map(|column| format!("{:?}", column.slice(row, 1)));
                values.collect::<String>()
            })
        })
        .collect()
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]".prop_map(|key| format!("{{\"{key}\": 1}}")),
        (0i64..5, "[a-c]{0,3}")
            .prop_map(|(n, text)| format!("{{\"n\": {n}, \"m\": [{{\"role\": \"{text}\"}}]}}")),
        Just("{\"m\": [{\"role\": \"x\", \"late\": null}, {}]}".to_owned()),
        Just("{\"n\": 0.5}".to_owned()),
        Just("{\"n\": \"text\"}".to_owned()),
        Just("{\"tools\": [1, {\"a\" : null}]}".to_owned()),
        // Long enough to be known again: alone, deeper, with a number no float holds, and in rows that are bad after it.
        (0usize..3, 0usize..4).prop_map(|(tool, row)| {
            let number = ["7", "-0", "1e999"][tool];
            let tools = format!(
                "[{{\"name\": \"{}\", \"parameters\": {{\"b\": {number}, \"a\": \"\\u00e9\"}}}}]",
                "x".repeat(60)
            );
            match row {
                0 => format!("{{\"m\": [{{\"role\": \"x\", \"tools\": {tools}}}]}}"),
                1 => format!("{{\"tools\": {tools}, \"tools\": 1}}"),
                _ => format!("{{\"n\": 1, \"tools\": {tools}}}"),
            }
        }),
        Just("no json".to_owned()),
        Just(String::new()),
    ]
}

proptest! {
    #[test]
    fn where_the_text_is_cut_does_not_show(
        lines in prop::collection::vec(line(), 1..30), cut in 0usize..30, bytes in 1usize..200,
    ) {
        let whole: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let (first, second) = lines.split_at(cut.min(lines.len()));
        let chunks: Vec<String> =
            [first, second].iter().map(|lines| lines.iter().map(|line| format!("{line}\n")).collect()).collect();
        let (taken, schema, batches) = table(&[&whole]);
        let (others, cut_schema, cut_batches) = table(&[&chunks[0], &chunks[1]]);
        prop_assert_eq!(&schema, &cut_schema);
        prop_assert_eq!(shown(&batches), shown(&cut_batches));
        let changes: Vec<_> = others.iter().flat_map(|taken| taken.changes.clone()).collect();
        prop_assert_eq!(&taken[0].changes, &changes);
        prop_assert_eq!(taken[0].bad.len(), others.iter().map(|taken| taken.bad.len()).sum::<usize>());
        let alone: Vec<&str> = whole.split_inclusive('\n').collect();
        let (others, alone_schema, alone_batches) = table(&alone);
        prop_assert_eq!(&schema, &alone_schema);
        prop_assert_eq!(shown(&batches), shown(&alone_batches));
        prop_assert_eq!(taken[0].infinite.len(), others.iter().map(|taken| taken.infinite.len()).sum::<usize>());
        // Parts of one text are built by what the first of them, or the text before, has shown.
        for chunks in [&[whole.as_str()][..], &[chunks[0].as_str(), chunks[1].as_str()]] {
            let (parts, parts_schema, parts_batches) = read(JsonTable::in_parts_of(bytes), chunks);
            prop_assert_eq!(&schema, &parts_schema);
            prop_assert_eq!(shown(&batches), shown(&parts_batches));
            if chunks.len() == 1 {
                prop_assert_eq!(format!("{:?}", taken), format!("{parts:?}"));
            }
        }
    }
}

#[test]
fn parts_are_one_table_at_any_number_of_threads() {
    let text: String = (0..120_000)
        .map(|row| match row % 40_000 {
            39_999 => format!("{{\"n\": {row}, \"late{row}\": \"x\"}}\n"),
            _ => format!("{{\"n\": {row}, \"text\": \"some words to fill a line of a file {row}\"}}\n"),
        })
        .collect();
    assert!(text.len() > 3 << 21);
    let mut all = Vec::new();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (taken, schema, batches) = pool.install(|| table(&[&text]));
        assert_eq!(taken[0].rows, 120_000);
        assert!(batches.len() > 3);
        let numbers =
            batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
        assert!(numbers.eq(0..120_000));
        all.push((schema, batches));
    }
    assert!(all[0] == all[1]);
}

#[test]
fn arrays_are_read_as_lines_are() {
    let rows = ["{\"a\": 1}", "{\"a\": null,\n \"b\": [true]}", "7", "{\"a\": \"x\"}"];
    let mut lines = JsonTable::default();
    let text = rows.map(|row| row.replace('\n', "")).join("\n");
    let of_lines = lines.take_lines(text.as_bytes(), &Unwatched).unwrap();
    let mut array = JsonTable::default();
    let text = format!(" [{}]\n", rows.join(" ,\n"));
    let of_array = array.take_array(text.as_bytes()).unwrap().unwrap();
    assert_eq!(of_array.lines, [0, 1, 3, 4]);
    assert_eq!(
        (of_array.rows, of_array.names, of_array.changes),
        (of_lines.rows, of_lines.names, of_lines.changes)
    );
    assert_eq!((of_array.bad[0].row, &text[of_array.bad[0].start..of_array.bad[0].end]), (2, "7"));
    assert!(lines.finish().unwrap() == array.finish().unwrap());
    for bad in ["[", "[1", "[{\"a\": 1},]", "[{\"a\": 1} {}]", "[{\"a\": NaN}]", "[] x", "{}", ""] {
        assert!(JsonTable::default().take_array(bad.as_bytes()).unwrap().is_none(), "{bad}");
    }
}

#[test]
fn text_that_changed_is_not_built_again() {
    let mut table = JsonTable::default();
    for chunk in ["{\"m\": [\"a\"]}\n", "{\"m\": [1]}\n"] {
        table.take_lines(chunk.as_bytes(), &Unwatched).unwrap();
    }
    assert_eq!(table.stale(), 1);
    assert!(!table.rebuild(0, b"", false, &Unwatched).unwrap());
    assert!(!table.rebuild(9, b"{}", false, &Unwatched).unwrap());
    assert!(table.rebuild(0, b"{\"m\": [\"b\"]}\n", false, &Unwatched).unwrap());
    let (schema, batches) = table.finish().unwrap();
    assert_eq!(schema.field(0).data_type(), &DataType::Utf8);
    let texts: Vec<_> = batches.iter().map(|batch| batch.column(0).as_string::<i32>().value(0)).collect();
    assert_eq!(texts, ["[\"b\"]", "[1]"]);
}
