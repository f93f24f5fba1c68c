//! The order in which components come up.

use std::collections::BTreeMap;

use crate::{
    error::{Error, Result},
    id::ComponentId,
};

/// What the order needs to know of a component.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// Which.
    pub id: ComponentId,
    /// Its name, for messages.
    pub name: &'a str,
    /// What must be up before it. Components that are not among the nodes do not count.
    pub depends_on: &'a [ComponentId],
}

/// The nodes with what they depend on before them, otherwise in their own order. A cycle is a 400 that
/// names it.
pub fn order<'a>(nodes: &'a [Node<'a>]) -> Result<Vec<&'a Node<'a>>> {
    let place: BTreeMap<ComponentId, usize> = nodes.iter().enumerate().map(|(index, node)| (node.id, index)).collect();
    let needs = |index: usize| {
        nodes.get(index).into_iter().flat_map(|node| node.depends_on).filter_map(|id| place.get(id).copied())
    };
    let mut done: Vec<usize> = Vec::with_capacity(nodes.len());
    let mut is_done = vec![false; nodes.len()];
    while done.len() < nodes.len() {
        let ready = (0..nodes.len()).find(|index| !is_done[*index] && needs(*index).all(|need| is_done[need]));
        let Some(index) = ready else {
            return Err(cycle_error(nodes, &find_cycle(&is_done, needs)));
        };
        is_done[index] = true;
        done.push(index);
    }
    Ok(done.into_iter().filter_map(|index| nodes.get(index)).collect())
}

/// Walks from any node that never became ready to one that it needs and that never did either: such a
/// walk must come back to where it was.
fn find_cycle<I: Iterator<Item = usize>>(is_done: &[bool], needs: impl Fn(usize) -> I) -> Vec<usize> {
    let mut path: Vec<usize> = Vec::new();
    let mut here = is_done.iter().position(|done| !done);
    while let Some(index) = here {
        if let Some(start) = path.iter().position(|seen| *seen == index) {
            return path.split_off(start);
        }
        path.push(index);
        here = needs(index).find(|need| !is_done[*need]);
    }
    path
}

fn cycle_error(nodes: &[Node<'_>], cycle: &[usize]) -> Error {
    let names: Vec<_> =
        cycle.iter().chain(cycle.first()).filter_map(|index| nodes.get(*index)).map(|node| node.name).collect();
    Error::field("dependsOn", "cycle", format!("goes round in a circle: {}; remove one of these", names.join(" → ")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::id::TypedId;

    fn id(number: usize) -> ComponentId {
        ComponentId::from_uuid(Uuid::from_u128(number as u128))
    }

    fn ordered(graph: &[&[usize]]) -> Result<Vec<usize>> {
        let needs: Vec<Vec<_>> = graph.iter().map(|needs| needs.iter().map(|one| id(*one)).collect()).collect();
        let names: Vec<_> = (0..graph.len()).map(|number| format!("c{number}")).collect();
        let nodes: Vec<_> = needs
            .iter()
            .zip(&names)
            .enumerate()
            .map(|(number, (depends_on, name))| Node { id: id(number), name, depends_on })
            .collect();
        order(&nodes).map(|list| list.iter().map(|node| node.id.uuid().as_u128() as usize).collect())
    }

    #[test]
    fn what_is_needed_comes_first_and_the_rest_keeps_its_order() {
        for (graph, expected) in [
            (&[][..], vec![]),
            (&[&[][..], &[], &[]], vec![0, 1, 2]),
            (&[&[2][..], &[], &[]], vec![1, 2, 0]),
            (&[&[1][..], &[2], &[]], vec![2, 1, 0]),
            (&[&[9][..], &[]], vec![0, 1]),
            (&[&[2, 3][..], &[], &[3], &[]], vec![1, 3, 2, 0]),
        ] {
            assert_eq!(ordered(graph).unwrap(), expected, "{graph:?}");
        }
    }

    #[test]
    fn a_cycle_is_named() {
        for (graph, expected) in [
            (&[&[0][..]][..], "c0 → c0"),
            (&[&[1][..], &[0]], "c0 → c1 → c0"),
            (&[&[1][..], &[2], &[3], &[1], &[]], "c1 → c2 → c3 → c1"),
        ] {
            let error = ordered(graph).unwrap_err();
            assert!(error.message().contains(expected), "{error:?}");
            assert_eq!(error.validation()[0].field, "dependsOn");
        }
    }

    proptest! {
        #[test]
        fn the_order_holds_for_every_graph_without_a_cycle(
            edges in proptest::collection::vec((0..12usize, 0..12usize), 0..30),
        ) {
            // Edges from larger to smaller numbers alone cannot make a circle.
            let mut graph = vec![Vec::new(); 12];
            for (one, other) in edges.iter().filter(|(one, other)| one != other) {
                graph[*one.max(other)].push(*one.min(other));
            }
            let graph: Vec<&[usize]> = graph.iter().map(Vec::as_slice).collect();
            let order = ordered(&graph).unwrap();
            prop_assert_eq!(order.len(), 12);
            let place = |one: usize| order.iter().position(|other| *other == one).unwrap();
            for (node, needs) in graph.iter().enumerate() {
                for need in *needs {
                    prop_assert!(place(*need) < place(node));
                }
            }
        }
    }
}
