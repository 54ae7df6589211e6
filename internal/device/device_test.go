package device

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// driver puts an nvidia-smi that runs the given shell lines in PATH, alone.
func driver(t *testing.T, lines string) {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\n" + lines + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte(script), 0o755))
	t.Setenv("PATH", dir)
}

const twoDevices = `
[ "$*" = "--query-gpu=index,name,uuid,memory.total --format=csv,noheader,nounits" ] || { echo "unexpected arguments: $*"; exit 2; }
echo "1, NVIDIA A10G, GPU-bbb, 23028"
echo "0, NVIDIA H100 80GB HBM3, GPU-aaa, 81559"`

var (
	h100 = Device{Index: 0, Name: "NVIDIA H100 80GB HBM3", UUID: "GPU-aaa", MemoryBytes: 81559 << 20}
	a10g = Device{Index: 1, Name: "NVIDIA A10G", UUID: "GPU-bbb", MemoryBytes: 23028 << 20}
)

// drain takes every free device, in the order the pool gives them.
func drain(t *testing.T, p *Pool) []Device {
	t.Helper()
	var devices []Device
	for p.InUse() < p.Size() {
		d, _, err := p.Acquire(t.Context())
		require.NoError(t, err)
		devices = append(devices, d...)
	}
	return devices
}

func TestParse(t *testing.T) {
	const absent = "absent"
	cases := []struct {
		name, flag, driver string
		want               []Device
		origin             string // part of
		err                string // part of
	}{
		{name: "auto takes all", flag: "auto", driver: twoDevices, want: []Device{h100, a10g}, origin: "2 devices listed by nvidia-smi"},
		{name: "auto without nvidia-smi", flag: "auto", driver: absent, origin: "no devices: nvidia-smi is not in PATH"},
		{name: "auto with no devices", flag: "auto", driver: `echo "No devices were found"`, origin: "0 devices listed by nvidia-smi"},
		{name: "auto with a failing driver", flag: "auto", driver: `echo "NVIDIA-SMI has failed"; exit 9`, origin: "exit status 9: NVIDIA-SMI has failed"},
		{name: "auto with a malformed answer", flag: "auto", driver: `echo "what, ever"`, origin: "expected index, name, uuid, memory"},
		{name: "exactly one", flag: "1", driver: twoDevices, want: []Device{h100}, origin: "1 of 2 devices"},
		{name: "exactly two", flag: "2", driver: twoDevices, want: []Device{h100, a10g}},
		{name: "too few", flag: "3", driver: twoDevices, err: `--gpus 3: nvidia-smi lists 2 (0: NVIDIA H100 80GB HBM3, 1: NVIDIA A10G); ask for at most as many`},
		{name: "none found", flag: "1", driver: `echo "No devices were found"`, err: `--gpus 1: nvidia-smi lists no device`},
		{name: "wanted without nvidia-smi", flag: "1", driver: absent, err: `--gpus 1: nvidia-smi is not in PATH; install the driver, or use --gpus none or cpu:1`},
		{name: "wanted from a failing driver", flag: "1", driver: `echo "cannot talk to the driver" >&2; exit 9`, err: `failed: exit status 9: cannot talk to the driver`},
		{name: "missing field", flag: "1", driver: `echo "0, X, GPU-a"`, err: "wrong number of fields"},
		{name: "index is no number", flag: "1", driver: `echo "zero, X, GPU-a, 5"`, err: `line 1: index "zero" is not a number from 0`},
		{name: "memory is no number", flag: "1", driver: `echo "0, X, GPU-a, much"`, err: `line 1: memory "much" is not a number of MiB`},
		{name: "index twice", flag: "1", driver: `echo "0, X, GPU-a, 5"; echo "0, Y, GPU-b, 5"`, err: "index 0 appears twice"},
		{name: "unknown memory", flag: "1", driver: `echo "0, NVIDIA GB10, GPU-a, [N/A]"`, want: []Device{{Name: "NVIDIA GB10", UUID: "GPU-a"}}},
		{name: "none", flag: "none", driver: twoDevices, origin: "--gpus none"},
		{name: "simulated", flag: "cpu:2", driver: absent, want: []Device{
			{Index: 0, Name: "simulated device (CPU)", UUID: "simulated-0", Simulated: true},
			{Index: 1, Name: "simulated device (CPU)", UUID: "simulated-1", Simulated: true},
		}, origin: "2 simulated devices; the work runs on the CPU"},
		{name: "no simulated devices", flag: "cpu:0", driver: absent, err: `expected cpu:N with N from 1 to 1024`},
		{name: "too many simulated devices", flag: "cpu:99999", driver: absent, err: `expected cpu:N with N from 1 to 1024`},
		{name: "zero", flag: "0", driver: absent, err: `--gpus "0": expected auto, none, a number of devices such as 2, or cpu:N`},
		{name: "empty", flag: "", driver: absent, err: `--gpus "": expected auto`},
		{name: "word", flag: "all", driver: absent, err: `--gpus "all": expected auto`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.driver == absent {
				t.Setenv("PATH", t.TempDir())
			} else {
				driver(t, c.driver)
			}
			p, err := Parse(t.Context(), c.flag)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, len(c.want), p.Size())
			require.Equal(t, c.want, drain(t, p))
			require.Contains(t, p.Origin(), c.origin)
		})
	}
}

func TestHangingDriverIsGivenUp(t *testing.T) {
	sleep := "exec /bin/sleep 60"
	driver(t, sleep)
	_, err := parse(t.Context(), "1", 50*time.Millisecond)
	require.ErrorContains(t, err, "gave no answer within 50ms")

	p, err := parse(t.Context(), "auto", 50*time.Millisecond)
	require.NoError(t, err)
	require.Zero(t, p.Size())
	require.Contains(t, p.Origin(), "gave no answer within 50ms")
}

func TestParseStopsWithItsContext(t *testing.T) {
	driver(t, "exec /bin/sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Parse(ctx, "auto")
	require.ErrorIs(t, err, context.Canceled)
}

func TestEmptyPoolSaysSoAtOnce(t *testing.T) {
	p, err := Parse(t.Context(), "none")
	require.NoError(t, err)
	_, _, err = p.Acquire(t.Context())
	require.ErrorIs(t, err, ErrNone)
}

func TestAcquireWaitsForARelease(t *testing.T) {
	p, err := Parse(t.Context(), "cpu:1")
	require.NoError(t, err)
	first, release, err := p.Acquire(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, p.InUse())

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, _, err = p.Acquire(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "wait for 1 of 1 devices")

	got := make(chan []Device)
	go func() {
		d, _, _ := p.Acquire(t.Context())
		got <- d
	}()
	release()
	require.Equal(t, first, <-got)
	release()
	require.Equal(t, 1, p.InUse(), "a second release gives nothing back")
}

func TestEndedContextTakesNoDevice(t *testing.T) {
	p, err := Parse(t.Context(), "cpu:1")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = p.Acquire(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, p.InUse())
}

func TestNoDeviceIsHeldTwice(t *testing.T) {
	const devices, holders, rounds = 3, 16, 200
	p, err := Parse(t.Context(), fmt.Sprintf("cpu:%d", devices))
	require.NoError(t, err)
	var held [devices]atomic.Int32
	var twice atomic.Bool
	var wg sync.WaitGroup
	for range holders {
		wg.Go(func() {
			for range rounds {
				d, release, err := p.Acquire(t.Context())
				if err != nil || held[d[0].Index].Add(1) != 1 {
					twice.Store(true)
				}
				held[d[0].Index].Add(-1)
				release()
				release()
			}
		})
	}
	wg.Wait()
	require.False(t, twice.Load())
	require.Zero(t, p.InUse())
}

func TestJobsOfSeveralDevicesShareNone(t *testing.T) {
	p, err := Parse(t.Context(), "cpu:5")
	require.NoError(t, err)
	p, err = p.PerJob(2)
	require.NoError(t, err)
	require.Equal(t, 2, p.Jobs())
	require.Equal(t, 4, p.Size())
	require.Contains(t, p.Origin(), "1 left over")
	first, release, err := p.Acquire(t.Context())
	require.NoError(t, err)
	second, _, err := p.Acquire(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int{0, 1, 2, 3}, []int{first[0].Index, first[1].Index, second[0].Index, second[1].Index})
	require.Equal(t, 4, p.InUse())
	release()
	require.Equal(t, 2, p.InUse())
}

func TestFewerDevicesThanOneJobTakesAreRefused(t *testing.T) {
	p, err := Parse(t.Context(), "cpu:1")
	require.NoError(t, err)
	_, err = p.PerJob(2)
	require.ErrorContains(t, err, "--gpus-per-job 2: this worker has 1 devices")
	empty, err := Parse(t.Context(), "none")
	require.NoError(t, err)
	empty, err = empty.PerJob(8)
	require.NoError(t, err)
	require.Zero(t, empty.Size())
}

func TestSampleReadsTheLoadOfRealDevices(t *testing.T) {
	driver(t, `case "$*" in *memory.used*--id=GPU-aaa) echo "GPU-aaa, 1024, 55";; *) exit 3;; esac`)
	loads, err := Sample(t.Context(), []Device{h100, {UUID: "simulated-0", Simulated: true}})
	require.NoError(t, err)
	require.Equal(t, []Load{{UUID: "GPU-aaa", MemoryBytes: 1 << 30, Utilisation: 0.55}}, loads)

	loads, err = Sample(t.Context(), []Device{{Simulated: true}})
	require.NoError(t, err)
	require.Empty(t, loads)

	driver(t, `echo "Unable to determine the device handle"; exit 9`)
	_, err = Sample(t.Context(), []Device{h100})
	require.ErrorContains(t, err, "Unable to determine the device handle")
}
