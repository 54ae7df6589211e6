package program

import (
	"sync"
	"time"

	"github.com/assay-ml/assay/internal/program/supervisor"
)

// lastTable is shared by all programs of a worker: listing the processes of a busy machine takes milliseconds.
var lastTable struct {
	sync.Mutex
	at  time.Time
	all []supervisor.Member
}

// recentProcesses are all processes, as they were at most age ago. The slice is not to be changed.
func recentProcesses(age time.Duration) ([]supervisor.Member, error) {
	lastTable.Lock()
	defer lastTable.Unlock()
	if lastTable.all != nil && time.Since(lastTable.at) < age {
		return lastTable.all, nil
	}
	all, err := supervisor.Processes()
	if err != nil {
		return nil, err
	}
	lastTable.at, lastTable.all = time.Now(), all
	return all, nil
}
