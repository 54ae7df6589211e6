package supervisor

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseStat(t *testing.T) {
	const rest = " 10 20 30 0 -1 4194304 100 0 0 0 5 6 0 0 25 5 THREADS 0 123456 7000000 42 18446744073709551615 1 1"
	line := func(head, threads string) []byte {
		return []byte(head + strings.Replace(rest, "THREADS", threads, 1))
	}
	want := Member{PID: 7, Parent: 10, Group: 20, Session: 30, Name: "sh", Started: 123456, Resident: 42 * pageSize}
	for name, given := range map[string]struct {
		line []byte
		want func(m *Member)
	}{
		"an ordinary one":                    {line("7 (sh) S", "1"), func(*Member) {}},
		"a name with spaces and parentheses": {line("7 (a) R 1 (b)) S", "1"), func(m *Member) { m.Name = "a) R 1 (b)" }},
		"a name with a new line":             {line("7 (a\nb) S", "1"), func(m *Member) { m.Name = "a\nb" }},
		"an empty name":                      {line("7 () S", "1"), func(m *Member) { m.Name = "" }},
		"a dead one":                         {line("7 (sh) Z", "1"), func(m *Member) { m.Zombie = true }},
		"one whose first thread ended":       {line("7 (sh) Z", "2"), func(*Member) {}},
	} {
		t.Run(name, func(t *testing.T) {
			m := want
			given.want(&m)
			got, ok := parseStat(given.line)
			require.True(t, ok)
			require.Equal(t, m, got)
		})
	}
	for _, bad := range []string{"", "7", "7 (sh", "7 sh) S", "7 (sh) S 1 2", "x (sh) S" + rest, ") 7 ("} {
		_, ok := parseStat([]byte(bad))
		require.False(t, ok, "%q", bad)
	}
	rapid.Check(t, func(t *rapid.T) { parseStat(rapid.SliceOf(rapid.Byte()).Draw(t, "stat")) })
}

func TestThisProcessIsFoundBelowItsParent(t *testing.T) {
	child := exec.Command("/bin/sleep", "1000")
	require.NoError(t, child.Start())
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	all, err := Processes()
	require.NoError(t, err)
	below := Tree(all, os.Getppid(), nil)
	find := func(pid int) int { return slices.IndexFunc(below, func(m Member) bool { return m.PID == pid }) }
	require.NotEqual(t, -1, find(os.Getpid()))
	require.Greater(t, find(child.Process.Pid), find(os.Getpid()))
	self := below[find(os.Getpid())]
	require.Equal(t, os.Getppid(), self.Parent)
	require.Positive(t, self.Resident)
	require.Positive(t, self.Started)
	require.Equal(t, -1, find(os.Getppid()), "the root is not its own descendant")
}

func TestTheTreeHoldsAllDescendantsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "processes")
		all := make([]Member, n)
		parent := map[int]int{}
		for i := range all {
			pid := i + 2
			parent[pid] = rapid.IntRange(1, pid-1).Draw(t, "parent")
			all[i] = Member{PID: pid, Parent: parent[pid]}
		}
		all = rapid.Permutation(all).Draw(t, "order")
		root := rapid.IntRange(1, n+1).Draw(t, "root")
		var want []int
		for pid := range parent {
			for up := parent[pid]; up > 0; up = parent[up] {
				if up == root {
					want = append(want, pid)
				}
			}
		}
		var got []int
		for _, m := range Tree(all, root, nil) {
			got = append(got, m.PID)
		}
		require.ElementsMatch(t, want, got)
	})
}

func TestTheTreeOfADeadSupervisor(t *testing.T) {
	before := []Member{
		{PID: 10, Parent: 1, Session: 10},                                // the supervisor
		{PID: 11, Parent: 10, Session: 10, Started: 5},                   // the program
		{PID: 12, Parent: 10, Session: 12, Started: 6},                   // an orphan in a session of its own
		{PID: 13, Parent: 12, Session: 13, Started: 7},                   // its child
		{PID: 14, Parent: 10, Session: 14, Started: 8},                   // another orphan, whose number is given again
		{PID: 15, Parent: 10, Session: 15, Started: 9},                   // one that is dead
		{PID: 2, Parent: 1, Session: 2}, {PID: 3, Parent: 2, Session: 2}, // strangers
	}
	after := []Member{
		{PID: 10, Parent: 1, Session: 10, Zombie: true},
		{PID: 16, Parent: 1, Session: 10, Started: 20}, // begun since
		{PID: 12, Parent: 1, Session: 12, Started: 6},
		{PID: 17, Parent: 12, Session: 17, Started: 21},
		{PID: 13, Parent: 1, Session: 13, Started: 7},
		{PID: 14, Parent: 2, Session: 2, Started: 22},
		{PID: 15, Parent: 1, Session: 15, Started: 9, Zombie: true},
		{PID: 2, Parent: 1, Session: 2}, {PID: 3, Parent: 2, Session: 2},
	}
	known := Tree(before, 10, nil)
	require.Len(t, known, 5)
	var got []int
	for _, m := range Tree(after, 10, known) {
		got = append(got, m.PID)
	}
	require.ElementsMatch(t, []int{16, 12, 17, 13}, got)
}

func TestAProcessWithALaterStartIsNotKilled(t *testing.T) {
	child := exec.Command("/bin/cat")
	in, err := child.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	m, ok := find(child.Process.Pid)
	require.True(t, ok)
	m.Started--
	killOne(m)
	require.NoError(t, in.Close())
	require.NoError(t, child.Wait(), "it ended by itself")
}

func TestASealedFolderIsRemoved(t *testing.T) {
	folder := t.TempDir() + "/run"
	require.NoError(t, os.MkdirAll(folder+"/a/b", 0o700))
	require.NoError(t, os.WriteFile(folder+"/a/b/file", []byte("x"), 0o400))
	outside := t.TempDir()
	require.NoError(t, os.Symlink(outside, folder+"/a/link"))
	require.NoError(t, os.Chmod(folder+"/a/b", 0o500))
	require.NoError(t, os.Chmod(folder+"/a", 0o500))
	unseal(folder)
	info, err := os.Stat(folder + "/a/b")
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	removeFolder(folder)
	require.NoFileExists(t, folder)
	require.DirExists(t, outside)
	removeFolder("")
}
