package program

import (
	"maps"
	"slices"
	"time"

	"github.com/assay-ml/assay/internal/program/supervisor"
)

// killAbandoned ends what a supervisor that was killed left behind: whatever is in its session, what was known of its
// tree, and all descendants of these. The supervisor itself must be unreaped, so that its number is no one else's.
func killAbandoned(head int, known []supervisor.Member) {
	for deadline := time.Now().Add(drain); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		all, err := supervisor.Processes()
		if err != nil {
			return
		}
		left := abandoned(all, head, known)
		if len(left) == 0 {
			return
		}
		supervisor.KillAll(left, head)
	}
}

func abandoned(all []supervisor.Member, head int, known []supervisor.Member) []supervisor.Member {
	type identity struct {
		pid     int
		started uint64
	}
	ours := map[identity]bool{}
	for _, m := range known {
		ours[identity{m.PID, m.Started}] = true
	}
	roots := []supervisor.Member{{PID: head}}
	for _, m := range all {
		if m.PID != head && (m.Session == head || ours[identity{m.PID, m.Started}]) {
			roots = append(roots, m)
		}
	}
	left := map[int]supervisor.Member{}
	for _, root := range roots {
		for _, m := range append(supervisor.Descendants(all, root.PID), root) {
			if m.PID != head && !m.Zombie {
				left[m.PID] = m
			}
		}
	}
	return slices.Collect(maps.Values(left))
}
