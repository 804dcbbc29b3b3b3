//! The query of a list whose rows are all at hand: text, state, order and part.

use std::cmp::Ordering;
use std::marker::PhantomData;

use maud::{Markup, html};
use url::form_urlencoded;

use super::listing::{self, PAGE_ROWS, address, chosen, order, sort_fields};
use super::parameters::unknown;
use super::selection::{JobFilter, Paging};
use super::sorting::{Column, Sorting};

/// Rows of an answer of the API at most.
pub(super) const HIGHEST_LIMIT: usize = 1000;

/// A parameter that selects rows by one of their values.
pub(super) struct Filter {
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    /// The possible values; any text without them.
    pub(super) choices: &'static [&'static str],
}

/// A row of a list.
pub(super) trait Row: Sized {
    type Column: Column;

    /// The path of the page.
    const PATH: &'static str;

    /// The column by which the list is sorted unless the URL says otherwise.
    const USUAL: Self::Column;

    /// Value and words of each state.
    const STATES: &'static [(&'static str, &'static str)];

    /// Further parameters that select rows.
    const FILTERS: &'static [Filter] = &[];

    /// The texts that words are searched in.
    fn texts(&self) -> Vec<&str>;

    fn has_state(&self, state: &str) -> bool;

    /// Whether it is listed also if no state is asked for.
    fn is_usual(&self) -> bool {
        true
    }

    /// Its value for a parameter of [`Self::FILTERS`].
    fn value(&self, _key: &str) -> Option<&str> {
        None
    }

    /// Compares by the column of the order alone.
    fn compare(&self, other: &Self, sorting: Sorting<Self::Column>) -> Ordering;

    /// Compares rows that the column does not tell apart.
    fn compare_names(&self, other: &Self) -> Ordering;
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// A page: `page`.
    Page,
    /// The API: `limit` and `offset`.
    Api,
}

/// Where a list is, and the parameters that say of what it is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) names: &'static [&'static str],
}

/// The wanted rows, their order, and the part of them.
pub(super) struct ListQuery<R: Row> {
    place: Place,
    /// The parameters that the place names, as given.
    fixed: Vec<(&'static str, String)>,
    text: String,
    state: Option<&'static str>,
    /// Wanted values, by parameter.
    values: Vec<(&'static str, String)>,
    column: Option<R::Column>,
    descending: Option<bool>,
    /// From 1.
    pub(super) page: usize,
    pub(super) paging: Paging,
    /// Parameters that cannot be read.
    pub(super) problems: Vec<String>,
    rows: PhantomData<R>,
}

impl<R: Row> ListQuery<R> {
    pub(super) fn parse(query: &str, asker: Asker) -> Self {
        let place = Place {
            path: R::PATH.to_owned(),
            names: &[],
        };
        Self::parse_at(place, query, asker)
    }

    /// The same for a list whose address says of what it is.
    pub(super) fn parse_at(place: Place, query: &str, asker: Asker) -> Self {
        let mut parsed = Self {
            place,
            fixed: Vec::new(),
            text: String::new(),
            state: None,
            values: Vec::new(),
            column: None,
            descending: None,
            page: 1,
            paging: Paging {
                offset: 0,
                limit: PAGE_ROWS,
            },
            problems: Vec::new(),
            rows: PhantomData,
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            if let Err(problem) = parsed.read(&key, &value, asker) {
                parsed.problems.push(problem);
            }
        }
        let bounds = JobFilter {
            text: parsed.text.clone(),
            ..JobFilter::default()
        };
        if let Err(problem) = bounds.check() {
            parsed.problems.push(problem);
            parsed.text.clear();
        }
        if asker == Asker::Page {
            parsed.paging.offset = (parsed.page - 1).saturating_mul(PAGE_ROWS);
        }
        parsed
    }

    fn read(&mut self, key: &str, value: &str, asker: Asker) -> Result<(), String> {
        let mut names = self.place.names.iter();
        if let Some(name) = names.find(|name| **name == key) {
            self.fixed.push((name, value.to_owned()));
            return Ok(());
        }
        match (key, asker) {
            ("q", _) => value.trim().clone_into(&mut self.text),
            ("state", _) => {
                let states: Vec<_> = R::STATES.iter().map(|(key, _)| (*key, *key)).collect();
                self.state = chosen(key, value, &states)?;
            }
            ("sort", _) => {
                let columns: Vec<_> = R::Column::ALL.iter().map(|it| (it.key(), *it)).collect();
                self.column = chosen(key, value, &columns)?;
            }
            ("order", _) => self.descending = order(value)?,
            ("page", Asker::Page) => self.page = listing::page(value)?,
            ("limit", Asker::Api) => self.paging.limit = listing::limit(value, HIGHEST_LIMIT)?,
            ("offset", Asker::Api) => self.paging.offset = listing::offset(value)?,
            _ => self.read_value(key, value, asker)?,
        }
        Ok(())
    }

    /// A parameter that says of what the list is; the last one if it is given twice.
    pub(super) fn fixed(&self, name: &str) -> Option<&str> {
        let mut fixed = self.fixed.iter().rev();
        let found = fixed.find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The address of the whole list.
    fn plain_url(&self) -> String {
        let fixed: Vec<_> = self
            .fixed
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        address(&self.place.path, &fixed)
    }

    /// Reads a parameter of [`Row::FILTERS`].
    fn read_value(&mut self, key: &str, value: &str, asker: Asker) -> Result<(), String> {
        let Some(filter) = R::FILTERS.iter().find(|filter| filter.key == key) else {
            let own: Vec<_> = R::FILTERS.iter().map(|filter| filter.key).collect();
            let parts: &[&str] = match asker {
                Asker::Page => &["page"],
                Asker::Api => &["limit", "offset"],
            };
            return Err(unknown(key, &[self.place.names, &SHARED, &own, parts]));
        };
        let choices: Vec<_> = filter.choices.iter().map(|choice| (*choice, ())).collect();
        if !choices.is_empty() {
            chosen(key, value, &choices)?;
        }
        self.values.retain(|(known, _)| *known != filter.key);
        if !value.is_empty() {
            self.values.push((filter.key, value.to_owned()));
        }
        Ok(())
    }

    /// The wanted value of a parameter of [`Row::FILTERS`], or nothing.
    fn wanted(&self, key: &str) -> &str {
        let found = self.values.iter().find(|(known, _)| *known == key);
        found.map_or("", |(_, value)| value)
    }

    pub(super) fn sorting(&self) -> Sorting<R::Column> {
        let sorting = Sorting::by(self.column.unwrap_or(R::USUAL));
        Sorting {
            descending: self.descending.unwrap_or(sorting.descending),
            ..sorting
        }
    }

    /// The wanted part of the rows in their order, and the number of all that match.
    pub(super) fn arranged(&self, rows: Vec<R>) -> (Vec<R>, usize) {
        let words: Vec<_> = self
            .text
            .split_whitespace()
            .map(str::to_lowercase)
            .collect();
        let has_words = |row: &R| {
            let text = row.texts().join("\n").to_lowercase();
            words.iter().all(|word| text.contains(word.as_str()))
        };
        let sorting = self.sorting();
        let mut rows: Vec<_> = rows
            .into_iter()
            .filter(|row| match self.state {
                Some(state) => row.has_state(state),
                None => row.is_usual(),
            })
            .filter(|row| {
                self.values
                    .iter()
                    .all(|(key, value)| row.value(key) == Some(value))
            })
            .filter(|row| words.is_empty() || has_words(row))
            .collect();
        rows.sort_by(|a, b| a.compare(b, sorting).then_with(|| a.compare_names(b)));
        let matching = rows.len();
        let part = rows.into_iter().skip(self.paging.offset);
        (part.take(self.paging.limit).collect(), matching)
    }

    pub(super) fn url(&self, page: usize) -> String {
        self.sorted_url(self.sorting(), page)
    }

    pub(super) fn sorted_url(&self, sorting: Sorting<R::Column>, page: usize) -> String {
        let page = page.to_string();
        let is_usual = sorting == Sorting::by(R::USUAL);
        let is_natural = sorting == Sorting::by(sorting.column);
        let fixed = self.fixed.iter().map(|(name, value)| (*name, &**value));
        let filters = [
            ("q", &*self.text),
            ("state", self.state.unwrap_or_default()),
        ];
        let values = self.values.iter().map(|(key, value)| (*key, &**value));
        let part = [
            ("sort", if is_usual { "" } else { sorting.column.key() }),
            ("order", if is_natural { "" } else { sorting.direction() }),
            ("page", if page == "1" { "" } else { &page }),
        ];
        let all = fixed.chain(filters).chain(values).chain(part);
        address(&self.place.path, &all.collect::<Vec<_>>())
    }

    /// The form that filters and sorts.
    pub(super) fn form(&self, text_label: &str) -> Markup {
        html! {
            form.filters action=(self.place.path) method="get" role="search" {
                @for (name, value) in &self.fixed { input type="hidden" name=(name) value=(value); }
                label.grow { span { (text_label) } input type="search" name="q" value=(self.text); }
                label { span { "State" }
                    select name="state" {
                        option value="" { "any" }
                        @for (key, words) in R::STATES {
                            option value=(key) selected[self.state == Some(*key)] { (words) }
                        }
                    }
                }
                @for filter in R::FILTERS { (self.field(filter)) }
                (sort_fields(self.sorting()))
                button { "Show" }
                @if self.state.is_some() || !self.text.is_empty() || !self.values.is_empty() { a.clear href=(self.plain_url()) { "Clear" } }
            }
        }
    }
}

impl<R: Row> ListQuery<R> {
    fn field(&self, filter: &Filter) -> Markup {
        let wanted = self.wanted(filter.key);
        html! {
            label { span { (filter.label) }
                @if filter.choices.is_empty() {
                    input type="text" name=(filter.key) value=(wanted);
                } @else {
                    select name=(filter.key) {
                        option value="" { "any" }
                        @for choice in filter.choices {
                            option value=(choice) selected[*choice == wanted] { (choice) }
                        }
                    }
                }
            }
        }
    }
}

/// The parameters of pages and API.
const SHARED: [&str; 4] = ["q", "state", "sort", "order"];
