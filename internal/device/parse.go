package device

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// queryTimeout bounds one question to nvidia-smi. A healthy driver answers within seconds even when it has to
	// wake its devices; one that hangs must not keep a worker from starting.
	queryTimeout = 15 * time.Second

	// maxSimulated only catches slips of the keyboard.
	maxSimulated = 1024

	usage = `expected auto, none, a number of devices such as 2, or cpu:N for N simulated ones`
)

// Parse makes the pool that a worker's --gpus flag asks for:
//
//	auto    every device nvidia-smi lists; an empty pool when there is no nvidia-smi or it finds none (Origin says why)
//	N       exactly N devices, the first that nvidia-smi lists; an error with its answer when there are fewer
//	cpu:N   N simulated devices
//	none    an empty pool
func Parse(ctx context.Context, flag string) (*Pool, error) {
	return parse(ctx, flag, queryTimeout)
}

func parse(ctx context.Context, flag string, timeout time.Duration) (*Pool, error) {
	if flag == "none" {
		return newPool(nil, "no devices: --gpus none"), nil
	}
	if flag == "auto" {
		return auto(ctx, timeout)
	}
	if n, ok := strings.CutPrefix(flag, "cpu:"); ok {
		return simulated(flag, n)
	}
	n, err := strconv.Atoi(flag)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("--gpus %q: %s", flag, usage)
	}
	return exactly(ctx, n, timeout)
}

func auto(ctx context.Context, timeout time.Duration) (*Pool, error) {
	devices, err := query(ctx, timeout)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("--gpus auto: %w", ctx.Err())
	}
	if err != nil {
		return newPool(nil, fmt.Sprintf("no devices: %v", err)), nil
	}
	return newPool(devices, fmt.Sprintf("%d devices listed by nvidia-smi", len(devices))), nil
}

func exactly(ctx context.Context, n int, timeout time.Duration) (*Pool, error) {
	devices, err := query(ctx, timeout)
	if err != nil {
		return nil, fmt.Errorf("--gpus %d: %w; install the driver, or use --gpus none or cpu:%d", n, err, n)
	}
	if len(devices) < n {
		return nil, fmt.Errorf("--gpus %d: nvidia-smi lists %s; ask for at most as many, or use --gpus auto", n, describe(devices))
	}
	return newPool(devices[:n], fmt.Sprintf("%d of %d devices listed by nvidia-smi", n, len(devices))), nil
}

func describe(devices []Device) string {
	if len(devices) == 0 {
		return "no device"
	}
	names := make([]string, len(devices))
	for i, d := range devices {
		names[i] = fmt.Sprintf("%d: %s", d.Index, d.Name)
	}
	return fmt.Sprintf("%d (%s)", len(devices), strings.Join(names, ", "))
}

func simulated(flag, count string) (*Pool, error) {
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > maxSimulated {
		return nil, fmt.Errorf("--gpus %q: expected cpu:N with N from 1 to %d", flag, maxSimulated)
	}
	devices := make([]Device, n)
	for i := range devices {
		devices[i] = Device{Index: i, Name: "simulated device (CPU)", UUID: fmt.Sprintf("simulated-%d", i), Simulated: true}
	}
	return newPool(devices, fmt.Sprintf("%d simulated devices; the work runs on the CPU", n)), nil
}

// query asks nvidia-smi for its devices, ordered by index.
func query(ctx context.Context, timeout time.Duration) ([]Device, error) {
	path, err := exec.LookPath("nvidia-smi")
	if err != nil {
		return nil, errors.New("nvidia-smi is not in PATH")
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--query-gpu=index,name,uuid,memory.total", "--format=csv,noheader,nounits")
	cmd.WaitDelay = time.Second // a child of a killed nvidia-smi may keep the pipes open
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s gave no answer within %s: %w", path, timeout, ctx.Err())
	}
	if err != nil {
		return nil, fmt.Errorf("%s failed: %w%s", path, err, answer(out, err))
	}
	devices, err := read(out)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return devices, nil
}

// answer is what a failed nvidia-smi said: it explains itself on standard output.
func answer(out []byte, err error) string {
	text := string(out)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		text += string(exit.Stderr)
	}
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return ""
	}
	return ": " + text[:min(len(text), 300)]
}

func read(out []byte) ([]Device, error) {
	if bytes.Contains(out, []byte("No devices were found")) {
		return nil, nil
	}
	r := csv.NewReader(bytes.NewReader(out))
	r.TrimLeadingSpace = true
	r.FieldsPerRecord = 4
	lines, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read its list of devices: expected index, name, uuid, memory on each line: %w", err)
	}
	devices := make([]Device, len(lines))
	for i, line := range lines {
		if devices[i], err = readDevice(line); err != nil {
			return nil, fmt.Errorf("read its list of devices: line %d: %w", i+1, err)
		}
	}
	slices.SortFunc(devices, func(a, b Device) int { return a.Index - b.Index })
	for i := 1; i < len(devices); i++ {
		if devices[i].Index == devices[i-1].Index {
			return nil, fmt.Errorf("read its list of devices: index %d appears twice", devices[i].Index)
		}
	}
	return devices, nil
}

func readDevice(line []string) (Device, error) {
	index, err := strconv.Atoi(line[0])
	if err != nil || index < 0 {
		return Device{}, fmt.Errorf("index %q is not a number from 0", line[0])
	}
	d := Device{Index: index, Name: line[1], UUID: line[2]}
	if strings.HasPrefix(line[3], "[") { // devices that share the host's memory answer [N/A] or [Not Supported]
		return d, nil
	}
	mebibytes, err := strconv.ParseInt(line[3], 10, 64)
	if err != nil || mebibytes < 0 || mebibytes > 1<<40 {
		return Device{}, fmt.Errorf("memory %q is not a number of MiB", line[3])
	}
	d.MemoryBytes = mebibytes << 20
	return d, nil
}
