package program_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/program"
	"github.com/stretchr/testify/require"
)

func TestAForkBombIsEnded(t *testing.T) {
	need(t, "setsid")
	// Each process starts two, in sessions of their own, until there are some hundred.
	const bomb = `[ $1 -eq 8 ] && exec sleep 60
setsid sh bomb $(($1 + 1)) &
setsid sh bomb $(($1 + 1)) &
wait`
	c := shell(t, "sh bomb 1")
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, "bomb"), []byte(bomb), 0o600))
	c.Policy.Processes = 50
	_, err := run(t, c)
	end := ends(t, err, program.TooManyProcesses)
	require.Contains(t, end.Limit, "allows 50")
}

func TestProcessesAreCountedInTheWholeTree(t *testing.T) {
	c := part(t, "children", "5")
	c.Policy.Processes = 5
	_, err := run(t, c)
	ends(t, err, program.TooManyProcesses)

	c = part(t, "children", "5")
	c.Policy.Processes = 6
	var out record
	out.to(&c)
	p := start(t, c)
	eventually(t, "the children run", func() bool { return out.holds("all started") })
	p.Kill(errEnough)
	_, err = p.Wait()
	ends(t, err, program.Stopped)
}

func TestMemoryOfTheTreeIsLimited(t *testing.T) {
	const mib = 1 << 20
	// Each of the two stays below the limit.
	self, err := os.Executable()
	require.NoError(t, err)
	allocate := "'" + self + "' as allocate " + strconv.Itoa(100*mib)
	c := shell(t, allocate+" & "+allocate+" & wait")
	c.Policy.MemoryBytes = 160 * mib
	usage, err := run(t, c)
	end := ends(t, err, program.OutOfMemory)
	require.Contains(t, end.Limit, "allows 160.0 MiB")
	require.Greater(t, usage.PeakMemoryBytes, int64(160*mib))
}

func TestPeakMemoryIsMeasuredWithoutALimit(t *testing.T) {
	c := part(t, "allocate", strconv.Itoa(100<<20))
	var out record
	out.to(&c)
	p := start(t, c)
	eventually(t, "the memory is taken", func() bool { return out.holds("allocated") })
	p.Kill(errEnough)
	usage, _ := p.Wait()
	require.Greater(t, usage.PeakMemoryBytes, int64(100<<20))
	require.Less(t, usage.PeakMemoryBytes, int64(300<<20))
}

func TestDiskIsLimited(t *testing.T) {
	c := shell(t, `mkdir a; while :; do head -c 1000000 /dev/zero >> a/checkpoint; sleep 0.01; done`)
	c.Policy.DiskBytes = 5e6
	_, err := run(t, c)
	end := ends(t, err, program.DiskQuota)
	require.Contains(t, end.Limit, "allows 4.8 MiB")
	require.Greater(t, size(t, c.Folder), int64(5e6))
}

func size(t *testing.T, folder string) (sum int64) {
	t.Helper()
	files, err := filepath.Glob(folder + "/*/*")
	require.NoError(t, err)
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(t, err)
		sum += info.Size()
	}
	return sum
}

func TestTimeIsLimited(t *testing.T) {
	for name, limits := range map[string]struct{ policy, spec time.Duration }{
		"by the spec":     {0, 50 * time.Millisecond},
		"by the operator": {50 * time.Millisecond, 0},
		"by the operator, however much a spec has": {50 * time.Millisecond, time.Hour},
		"by the spec, below the operator's":        {time.Hour, 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			c := shell(t, `trap 'echo "saved a checkpoint"; exit 0' TERM; while :; do sleep 0.01; done`)
			c.Policy.WallTime, c.TimeLimit = limits.policy, limits.spec
			usage, err := run(t, c)
			end := ends(t, err, program.TimeLimit)
			require.Contains(t, end.Limit, "50ms")
			require.GreaterOrEqual(t, usage.Wall, 50*time.Millisecond)
		})
	}
}

func TestProcessorsAreLimited(t *testing.T) {
	need(t, "nproc")
	all := runtime.NumCPU()
	if all < 2 {
		t.Skip("a second processor is missing")
	}
	count := func(cpus int) string {
		c := shell(t, "nproc")
		c.Policy.CPUs = cpus
		var out record
		out.to(&c)
		_, err := run(t, c)
		require.NoError(t, err)
		return out.all()[0]
	}
	require.Equal(t, "1", count(1))
	require.Equal(t, strconv.Itoa(all), count(0))
	require.Equal(t, strconv.Itoa(all), count(1000), "as many as there are")
}

func TestProgramsDoNotCrowdOneProcessor(t *testing.T) {
	need(t, "taskset")
	if runtime.NumCPU() < 2 {
		t.Skip("a second processor is missing")
	}
	seen := map[string]bool{}
	var running []*program.Process
	for range 2 {
		c := shell(t, "taskset -p $$; sleep 1000")
		c.Policy.CPUs = 1
		var out record
		out.to(&c)
		running = append(running, start(t, c))
		eventually(t, "the mask is printed", func() bool { return len(out.all()) == 1 })
		_, mask, _ := strings.Cut(out.all()[0], "mask: ")
		seen[mask] = true
	}
	require.Len(t, seen, 2, "the two programs have different processors")
	for _, p := range running {
		p.Kill(errEnough)
	}
}

func TestProcessorTimeOfGrandchildrenIsCounted(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	spin := "'" + self + "' as spin 200"
	for name, script := range map[string]string{
		"of a grandchild":                "sh -c \"" + spin + "; true\"; true",
		"of an orphan":                   "(" + spin + "; echo $$ > done.pid) & while [ ! -s done.pid ]; do sleep 0.01; done",
		"of one in a session of its own": "setsid -w sh -c \"" + spin + "; true\"; true",
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(script, "setsid") {
				need(t, "setsid")
			}
			usage, err := run(t, shell(t, script))
			require.NoError(t, err)
			require.GreaterOrEqual(t, usage.CPU, 190*time.Millisecond)
		})
	}
}
