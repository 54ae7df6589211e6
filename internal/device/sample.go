package device

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Load is what the driver says of one device at one moment.
type Load struct {
	UUID        string
	MemoryBytes int64   // in use, by whomever
	Utilisation float64 // share of the last second or so in which the device computed, 0 to 1
}

// Sample asks nvidia-smi for the load of real devices; simulated ones have none and are left out. Without a real one it
// asks nothing. A value that the driver does not give is 0.
func Sample(ctx context.Context, devices []Device) ([]Load, error) {
	var uuids []string
	for _, d := range devices {
		if !d.Simulated {
			uuids = append(uuids, d.UUID)
		}
	}
	if len(uuids) == 0 {
		return nil, nil
	}
	path, err := exec.LookPath("nvidia-smi")
	if err != nil {
		return nil, errors.New("sample devices: nvidia-smi is not in PATH")
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--query-gpu=uuid,memory.used,utilization.gpu", "--format=csv,noheader,nounits", "--id="+strings.Join(uuids, ","))
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("sample devices: %s failed: %w%s", path, err, answer(out, err))
	}
	return readLoads(out)
}

func readLoads(out []byte) ([]Load, error) {
	r := csv.NewReader(bytes.NewReader(out))
	r.TrimLeadingSpace = true
	r.FieldsPerRecord = 3
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("sample devices: nvidia-smi's answer is not understood: %w", err)
	}
	loads := make([]Load, len(rows))
	for i, row := range rows {
		mebibytes, _ := strconv.ParseInt(strings.TrimSpace(row[1]), 10, 64)
		percent, _ := strconv.ParseFloat(strings.TrimSpace(row[2]), 64)
		loads[i] = Load{UUID: row[0], MemoryBytes: mebibytes << 20, Utilisation: percent / 100}
	}
	return loads, nil
}
