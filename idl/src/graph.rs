//! Finds cycles in a graph: files that import each other, aliases of each other, types that hold themselves.
//!
//! Nodes are numbers. Nothing here recurses, since a file may hold a chain of a hundred thousand types.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

/// Returns the strongly connected component of each node. Two nodes have the same number exactly if each leads to the
/// other.
pub(crate) fn components(edges: &[Vec<usize>]) -> Vec<usize> {
    let mut search = Search {
        edges,
        order: vec![usize::MAX; edges.len()],
        low: vec![0; edges.len()],
        component: vec![usize::MAX; edges.len()],
        stack: Vec::new(),
        visited: 0,
        found: 0,
    };
    for node in 0..edges.len() {
        if search.order[node] == usize::MAX {
            search.run(node);
        }
    }
    search.component
}

/// The state of Tarjan's algorithm, with an explicit stack instead of recursion.
struct Search<'a> {
    edges: &'a [Vec<usize>],
    order: Vec<usize>,
    low: Vec<usize>,
    component: Vec<usize>,
    stack: Vec<usize>,
    visited: usize,
    found: usize,
}

impl Search<'_> {
    fn run(&mut self, root: usize) {
        let mut path = vec![(root, 0)];
        self.enter(root);
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            let Some(target) = self.edges[node].get(*next).copied() else {
                path.pop();
                self.leave(node);
                if let Some((parent, _)) = path.last() {
                    self.low[*parent] = self.low[*parent].min(self.low[node]);
                }
                continue;
            };
            *next += 1;
            if self.order[target] == usize::MAX {
                self.enter(target);
                path.push((target, 0));
            } else if self.component[target] == usize::MAX {
                self.low[node] = self.low[node].min(self.order[target]);
            }
        }
    }

    fn enter(&mut self, node: usize) {
        self.order[node] = self.visited;
        self.low[node] = self.visited;
        self.visited += 1;
        self.stack.push(node);
    }

    fn leave(&mut self, node: usize) {
        if self.low[node] != self.order[node] {
            return;
        }
        while let Some(member) = self.stack.pop() {
            self.component[member] = self.found;
            if member == node {
                break;
            }
        }
        self.found += 1;
    }
}

/// Returns one shortest cycle for each component that has any, starting with its lowest node, in the order of these
/// nodes.
pub(crate) fn cycles(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let component = components(edges);
    let mut is_visited = vec![false; edges.len()];
    let mut cycles = Vec::new();
    for node in 0..edges.len() {
        let seen = std::mem::replace(&mut is_visited[component[node]], true);
        if !seen && let Some(cycle) = cycle_through(edges, &component, node) {
            cycles.push(cycle);
        }
    }
    cycles
}

/// Returns a shortest path from a node back to itself, found breadth first inside its component.
fn cycle_through(edges: &[Vec<usize>], component: &[usize], start: usize) -> Option<Vec<usize>> {
    let mut came_from = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for target in edges[node].iter().copied().filter(|target| component[*target] == component[start]) {
            if target == start {
                let mut cycle = vec![node];
                while cycle.last() != Some(&start) {
                    cycle.push(*cycle.last().and_then(|last| came_from.get(last))?);
                }
                cycle.reverse();
                return Some(cycle);
            }
            if let Entry::Vacant(entry) = came_from.entry(target) {
                entry.insert(node);
                queue.push_back(target);
            }
        }
    }
    None
}

/// Maximum number of steps of a cycle that are named in a message.
const MAX_NAMED: usize = 6;

/// Describes a cycle: `` `A` holds `B`, which holds `A` ``. Of a long one only the start and the end are named.
pub(crate) fn describe_cycle(names: &[&str], verb: &str) -> String {
    let Some((first, rest)) = names.split_first() else { return String::new() };
    if rest.is_empty() {
        return format!("`{first}` {verb} itself");
    }
    let left_out = rest.len().saturating_sub(MAX_NAMED);
    let steps: Vec<String> = rest.iter().take(MAX_NAMED).map(|name| format!("{verb} `{name}`")).collect();
    let end = if left_out == 0 {
        format!(", which {verb} `{first}`")
    } else {
        format!(" and so on through {left_out} more, the last of which {verb} `{first}`")
    };
    format!("`{first}` {}{end}", steps.join(", which "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_component_has_one_cycle() {
        let edges = vec![vec![1], vec![2, 0], vec![0], vec![3], vec![0], vec![]];
        assert_eq!(cycles(&edges), [vec![0, 1], vec![3]]);
        let component = components(&edges);
        assert_eq!((component[0], component[1]), (component[2], component[2]));
        assert_ne!(component[4], component[0]);
    }

    #[test]
    fn cycles_are_described_in_words() {
        assert_eq!(describe_cycle(&["A"], "holds"), "`A` holds itself");
        assert_eq!(describe_cycle(&["A", "B"], "holds"), "`A` holds `B`, which holds `A`");
        let names = ["A", "B", "C", "D", "E", "F", "G", "H"];
        let expected = "`A` holds `B`, which holds `C`, which holds `D`, which holds `E`, which holds `F`, \
                        which holds `G` and so on through 1 more, the last of which holds `A`";
        assert_eq!(describe_cycle(&names, "holds"), expected);
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let length = 200_000;
        let edges: Vec<Vec<usize>> = (0..length).map(|node| vec![(node + 1) % length]).collect();
        assert_eq!(cycles(&edges)[0].len(), length);
    }
}
