package supervisor

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
)

var pageSize = int64(os.Getpagesize())

// Processes are all processes of the machine that this user may see.
func Processes() ([]Member, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("list the processes of this machine: %w", err)
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list the processes of this machine: %w", err)
	}
	all := make([]Member, 0, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if m, ok := find(pid); ok {
			all = append(all, m)
		}
	}
	return all, nil
}

// find reads one process; false when there is none of that number.
func find(pid int) (Member, bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Member{}, false
	}
	return parseStat(stat)
}

// parseStat reads proc_pid_stat(5). The name stands in parentheses and may itself hold spaces and parentheses.
func parseStat(stat []byte) (Member, bool) {
	open, shut := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 1 || shut < open {
		return Member{}, false
	}
	fields := bytes.Fields(stat[shut+1:]) // from field 3, the state
	if len(fields) < 22 {
		return Member{}, false
	}
	m := Member{Name: string(stat[open+1 : shut])}
	var err error
	number := func(b []byte) int64 {
		n, e := strconv.ParseInt(string(b), 10, 64)
		if e != nil {
			err = e
		}
		return n
	}
	m.PID = int(number(bytes.TrimSpace(stat[:open])))
	m.Parent, m.Group, m.Session = int(number(fields[1])), int(number(fields[2])), int(number(fields[3]))
	m.Started = uint64(number(fields[19]))
	m.Resident = number(fields[21]) * pageSize
	// A process whose first thread has ended looks dead and is not while it has other threads.
	m.Zombie = fields[0][0] == 'Z' && number(fields[17]) <= 1
	return m, err == nil
}

// Tree are the living processes that a supervisor with the pid head answers for: its descendants, all of its session,
// those known from before, and their descendants. Only descendants are there while it lives; when it is dead, those that
// were its children are not its descendants any more. It must not have been waited for, so that its pid is no one else's.
func Tree(all []Member, head int, known []Member) []Member {
	type identity struct {
		pid     int
		started uint64
	}
	before := make(map[identity]bool, len(known))
	for _, m := range known {
		before[identity{m.PID, m.Started}] = true
	}
	children := make(map[int][]Member, len(all))
	found := map[int]bool{head: true}
	var tree []Member
	add := func(m Member) {
		if !found[m.PID] {
			found[m.PID] = true
			tree = append(tree, m)
		}
	}
	for _, m := range all {
		children[m.Parent] = append(children[m.Parent], m)
		if m.Parent == head || m.Session == head || before[identity{m.PID, m.Started}] {
			add(m)
		}
	}
	for i := 0; i < len(tree); i++ { // tree grows while it is walked
		for _, m := range children[tree[i].PID] {
			add(m)
		}
	}
	return slices.DeleteFunc(tree, func(m Member) bool { return m.Zombie })
}

// KillAll sends SIGKILL to all of these, which are descendants of the supervisor. Whole groups are signalled first: the
// kernel does that as one step, so that a member that forks meanwhile leaves no child behind. No group of a descendant
// holds a stranger, because groups do not cross sessions and the supervisor began a session of its own; that one's own
// group may hold the supervisor and is left out.
func KillAll(these []Member, supervisor int) {
	groups := map[int]bool{0: true, 1: true, supervisor: true}
	for _, m := range these {
		if !groups[m.Group] {
			groups[m.Group] = true
			_ = syscall.Kill(-m.Group, syscall.SIGKILL)
		}
	}
	for _, m := range these {
		killOne(m)
	}
}

// killOne holds on to the process (by a pidfd, where the kernel has them) before it looks whether it is still the same
// one, so that no other process that got its number in between is hit.
func killOne(m Member) {
	process, err := os.FindProcess(m.PID)
	if err != nil {
		return
	}
	defer func() { _ = process.Release() }()
	if now, ok := find(m.PID); ok && now.Started == m.Started {
		_ = process.Kill()
	}
}
