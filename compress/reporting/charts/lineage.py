"""The stages in order with lines from each to what was made out of it, as `git log --graph` draws commits."""

from dataclasses import dataclass

from compress.reporting.schema import Report, StageEntry

ROW_HEIGHT, LANE_WIDTH, FIRST_LANE = 56, 14, 12
MOST_LANES = 8


@dataclass(frozen=True)
class Node:
    """One stage."""

    stage: StageEntry
    y: float
    share_of_time: float
    """Of the stage that took longest, 0 to 1."""
    seconds: float
    """What making it took, in this run or the one that made it."""


@dataclass(frozen=True)
class Lineage:
    """Nodes from top to bottom and the paths of the lines between them."""

    nodes: list[Node]
    paths: list[str]
    node_x: float
    width: float
    height: float


def lineage(report: Report) -> Lineage:
    """Neighbours get a straight line; others a lane of their own to the left, so that no line hides another."""
    rows = {stage.name: index for index, stage in enumerate(report.stages)}
    edges = {(rows[name], rows[stage.name]) for stage in report.stages for name in stage.inputs if name in rows}
    lanes = _lanes(sorted(edge for edge in edges if edge[1] - edge[0] > 1))
    used = max(lanes.values(), default=0)
    node_x = FIRST_LANE + used * LANE_WIDTH
    paths = [_path(edge, node_x, node_x - lanes.get(edge, 0) * LANE_WIDTH) for edge in sorted(edges)]
    longest = max((_seconds(stage) for stage in report.stages), default=0.0) or 1.0
    nodes = [
        Node(stage, _y(row), _seconds(stage) / longest, _seconds(stage)) for row, stage in enumerate(report.stages)
    ]
    return Lineage(nodes, paths, node_x, node_x + FIRST_LANE, ROW_HEIGHT * len(nodes))


def _lanes(edges: list[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """The lowest free lane for each edge; those that leave the same stage share one, and so do all beyond the last."""
    lanes: dict[tuple[int, int], int] = {}
    for edge in edges:
        busy = {lane for other, lane in lanes.items() if other[1] > edge[0] and other[0] != edge[0]}
        shared = [lane for other, lane in lanes.items() if other[0] == edge[0]]
        free = next(lane for lane in range(1, len(busy) + 2) if lane not in busy)
        lanes[edge] = shared[0] if shared else min(free, MOST_LANES)
    return lanes


def _path(edge: tuple[int, int], node_x: float, lane_x: float) -> str:
    top, bottom = _y(edge[0]), _y(edge[1])
    if lane_x == node_x:
        return f"M{node_x},{top}V{bottom}"
    bend = ROW_HEIGHT / 2
    return f"M{node_x},{top}Q{lane_x},{top} {lane_x},{top + bend}V{bottom - bend}Q{lane_x},{bottom} {node_x},{bottom}"


def _y(row: int) -> float:
    return ROW_HEIGHT * row + ROW_HEIGHT / 2


def _seconds(stage: StageEntry) -> float:
    return stage.made_in_seconds if stage.made_in_seconds is not None else stage.seconds
