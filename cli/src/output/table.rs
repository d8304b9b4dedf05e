//! Borderless columns, as kubectl prints them: easy on the eye, and on `awk`.

use super::text::one_line;
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement};

/// What an empty cell shows, so that columns stay countable.
const EMPTY: &str = "-";

/// A table under construction.
#[derive(Debug)]
pub(crate) struct Table {
    inner: comfy_table::Table,
    columns: usize,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let mut inner = comfy_table::Table::new();
        inner
            .load_style(NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(headings.iter().map(Cell::new));
        for column in inner.column_iter_mut() {
            column.set_padding((0, 3));
        }
        Self { inner, columns: headings.len() }
    }

    /// Aligns the columns of these headings to the right: for numbers.
    pub(crate) fn right(mut self, columns: &[usize]) -> Self {
        for index in columns {
            if let Some(column) = self.inner.column_mut(*index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self
    }

    /// Adds a row; missing and empty cells show as `-`.
    pub(crate) fn row<I>(&mut self, cells: I)
    where
        I: IntoIterator<Item = String>,
    {
        let mut cells: Vec<String> = cells.into_iter().map(shown).collect();
        cells.resize(self.columns, EMPTY.to_owned());
        self.inner.add_row(cells);
    }

    /// The table as text with a final newline and without blanks at the ends of lines.
    pub(crate) fn text(&self) -> String {
        self.inner.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
    }
}

/// A cell is one line, whatever the other side sent: a neighbour's name must not move the cursor.
fn shown(cell: String) -> String {
    if cell.is_empty() {
        return EMPTY.to_owned();
    }
    if cell.chars().any(char::is_control) {
        return one_line(&cell);
    }
    cell
}
