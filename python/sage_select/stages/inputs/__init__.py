"""What stages look up before they run: ids, lists of ids, queries, arrays that stand for files, rows that are bad."""
