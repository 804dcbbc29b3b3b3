//! Which file of a crate imports from which, read from its syntax trees. Tests within the sources are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

/// A path from the root of the crate: modules, then perhaps an item.
type Segments = Vec<String>;

/// A module that is a file.
struct Module {
    file: PathBuf,
    /// Names that the module takes from elsewhere, with where from; they may be used through it.
    imports: BTreeMap<String, Segments>,
    /// All that the code names, from the root of the crate.
    references: BTreeSet<Segments>,
}

/// All modules of a crate, and what they take from each other.
pub(super) struct Crate {
    modules: BTreeMap<Segments, Module>,
    folder: PathBuf,
}

impl Crate {
    /// Reads the crate with this root file, such as `src/lib.rs`.
    pub(super) fn read(root: &Path) -> Self {
        let folder = root.parent().unwrap().to_owned();
        let mut all = Self {
            modules: BTreeMap::new(),
            folder,
        };
        all.add(Segments::new(), root.to_owned());
        all
    }

    fn add(&mut self, path: Segments, file: PathBuf) {
        let text = fs::read_to_string(&file).unwrap();
        let syntax =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut reader = Reader {
            module: path.clone(),
            children: BTreeSet::new(),
            imports: BTreeMap::new(),
            references: BTreeSet::new(),
        };
        for item in &syntax.items {
            if let Item::Mod(child) = item
                && child.content.is_none()
                && !is_test(&child.attrs)
            {
                reader.children.insert(child.ident.to_string());
            }
        }
        reader.visit_file(&syntax);
        for child in &reader.children {
            let mut below = self.folder.clone();
            below.extend(&path);
            let candidates = [
                below.join(format!("{child}.rs")),
                below.join(child).join("mod.rs"),
            ];
            let found = candidates.into_iter().find(|file| file.exists());
            let mut child_path = path.clone();
            child_path.push(child.clone());
            self.add(
                child_path,
                found.unwrap_or_else(|| panic!("{child} of {}", file.display())),
            );
        }
        let module = Module {
            file,
            imports: reader.imports,
            references: reader.references,
        };
        self.modules.insert(path, module);
    }

    /// The module that defines what a path names; follows re-exports.
    fn home(&self, path: &[String]) -> Option<Segments> {
        let mut path = path.to_vec();
        // More steps than that only a re-export of itself takes.
        for _ in 0..10 {
            let known = (0..=path.len()).rev();
            let depth = known
                .into_iter()
                .find(|n| self.modules.contains_key(&path[..*n]))?;
            let (module, rest) = path.split_at(depth);
            let import = rest
                .first()
                .and_then(|name| self.modules[module].imports.get(name));
            match import {
                Some(source) => {
                    let mut next = source.clone();
                    next.extend(rest[1..].iter().cloned());
                    path = next;
                }
                None => return Some(module.to_vec()),
            }
        }
        None
    }

    /// For each file the files that it takes names from, relative to the crate's folder.
    pub(super) fn imports(&self) -> BTreeMap<String, BTreeSet<String>> {
        let name = |module: &Module| {
            let path = module.file.strip_prefix(&self.folder).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let mut all = BTreeMap::new();
        for (path, module) in &self.modules {
            let homes = module
                .references
                .iter()
                .filter_map(|named| self.home(named));
            let others = homes.filter(|home| home != path);
            let files = others.map(|home| name(&self.modules[&home])).collect();
            all.insert(name(module), files);
        }
        all
    }
}

/// Collects what one file names.
struct Reader {
    module: Segments,
    children: BTreeSet<String>,
    imports: BTreeMap<String, Segments>,
    references: BTreeSet<Segments>,
}

impl Reader {
    /// A path as the code writes it, from the root of the crate; `None` for other crates and locals.
    fn absolute(&self, written: &[String]) -> Option<Segments> {
        let (first, rest) = written.split_first()?;
        let mut path = match first.as_str() {
            "crate" => Segments::new(),
            "self" => self.module.clone(),
            "super" => {
                let (_, parent) = self.module.split_last()?;
                let mut parent = parent.to_vec();
                let further = rest.iter().take_while(|word| *word == "super").count();
                parent.truncate(parent.len().checked_sub(further)?);
                parent.extend(rest[further..].iter().cloned());
                return Some(parent);
            }
            child if self.children.contains(child) => {
                let mut path = self.module.clone();
                path.push(child.to_owned());
                path
            }
            imported => self.imports.get(imported)?.clone(),
        };
        path.extend(rest.iter().cloned());
        Some(path)
    }

    fn take(&mut self, tree: &UseTree, mut before: Segments) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.take(&path.tree, before);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.take(tree, before.clone());
                }
            }
            UseTree::Name(name) if name.ident == "self" => {
                let local = before.last().cloned();
                self.note(local, &before);
            }
            UseTree::Name(name) => {
                before.push(name.ident.to_string());
                self.note(Some(name.ident.to_string()), &before);
            }
            UseTree::Rename(rename) => {
                before.push(rename.ident.to_string());
                self.note(Some(rename.rename.to_string()), &before);
            }
            UseTree::Glob(_) => self.note(None, &before),
        }
    }

    fn note(&mut self, local: Option<String>, written: &[String]) {
        if let Some(path) = self.absolute(written) {
            if let Some(local) = local {
                self.imports.insert(local, path.clone());
            }
            self.references.insert(path);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.take(&item.tree, Segments::new());
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    /// `pub(super)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let written: Vec<_> = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        if let Some(absolute) = self.absolute(&written) {
            self.references.insert(absolute);
        }
        syn::visit::visit_path(self, path);
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && matches!(&attribute.meta, syn::Meta::List(list) if list.tokens.to_string() == "test")
    })
}

/// Groups of files that import each other in a circle.
pub(super) fn circles(imports: &BTreeMap<String, BTreeSet<String>>) -> Vec<BTreeSet<&str>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> = imports
        .keys()
        .map(|from| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from.as_str()]);
            while let Some(file) = open.pop() {
                for next in imports.get(file).into_iter().flatten() {
                    if seen.insert(next.as_str()) {
                        open.push(next);
                    }
                }
            }
            (from.as_str(), seen)
        })
        .collect();
    let mut found = BTreeSet::new();
    for (file, reached) in &reach {
        if reached.contains(file) {
            let others = reached.iter().filter(|other| reach[*other].contains(file));
            found.insert(others.copied().collect::<BTreeSet<_>>());
        }
    }
    found.into_iter().collect()
}
