package program

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/assay-ml/assay/internal/program/supervisor"
)

// lookEvery is the time between two looks at a program's processes and folder.
const lookEvery = 250 * time.Millisecond

// pace spaces out a measurement that takes long, so that it costs at most a twentieth of the time.
type pace struct{ next time.Time }

func (p *pace) measure(what func()) {
	begun := time.Now()
	if begun.Before(p.next) {
		return
	}
	what()
	p.next = time.Now().Add(20 * time.Since(begun))
}

// watch looks at the tree until it is over, and ends it when it exceeds a limit.
func (p *Process) watch() {
	var memory, disk pace
	var looked time.Time
	var tasks uint16
	limit := p.command.Policy.Processes
	every := lookEvery
	if limit > 0 {
		every /= 10
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		// Processes can multiply faster than they can be listed. The kernel's count of all of the machine tells at once
		// when to look earlier.
		now := allTasks()
		if bomb := limit > 0 && int(int16(now-tasks)) > limit; bomb || time.Since(looked) >= lookEvery-every/2 {
			tasks, looked = now, time.Now()
			if all, err := recentProcesses(every / 2); err == nil {
				p.known = supervisor.Tree(all, p.head.Process.Pid, p.known)
				p.lookAtProcesses()
				p.lookAtMemory(&memory)
			}
			disk.measure(p.lookAtDisk)
		}
		select {
		case <-p.over:
			return
		case <-ticker.C:
		}
	}
}

// allTasks is the number of processes and threads of the machine, which the kernel gives modulo 65,536; 0 when it does
// not say.
func allTasks() uint16 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 0
	}
	return info.Procs
}

func (p *Process) lookAtProcesses() {
	if limit := p.command.Policy.Processes; limit > 0 && len(p.known) > limit {
		p.end(&End{Kind: TooManyProcesses, Limit: fmt.Sprintf("%d of its processes ran at once, and the worker allows %d", len(p.known), limit)}, supervisor.Kill)
	}
}

// lookAtMemory adds up what is resident, which the process table says already and which counts shared pages once for
// every process. The exact sum takes the kernel a walk through all pages, and is asked for only when it could matter.
func (p *Process) lookAtMemory(pace *pace) {
	limit := p.command.Policy.MemoryBytes
	var resident int64
	for _, m := range p.known {
		resident += m.Resident
	}
	if resident <= p.peak && (limit == 0 || resident <= limit) {
		return
	}
	pace.measure(func() {
		var taken int64
		for _, m := range p.known {
			taken += proportional(m)
		}
		p.peak = max(p.peak, taken)
		if limit > 0 && taken > limit {
			p.end(&End{Kind: OutOfMemory, Limit: fmt.Sprintf("its processes took %s of memory, and the worker allows %s", bytesText(taken), bytesText(limit))}, supervisor.Kill)
		}
	})
}

// proportional is a process's resident memory in bytes with each shared page divided by the number of processes that
// share it (Pss of proc_pid_smaps_rollup, Linux 4.14); what is resident, where the kernel does not say.
func proportional(m supervisor.Member) int64 {
	rollup, err := os.ReadFile("/proc/" + strconv.Itoa(m.PID) + "/smaps_rollup")
	if err != nil {
		return m.Resident
	}
	for line := range bytes.Lines(rollup) {
		if value, ok := bytes.CutPrefix(line, []byte("Pss:")); ok {
			kib, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte("kB")))), 10, 64)
			if err == nil {
				return kib * 1024
			}
		}
	}
	return m.Resident
}

func (p *Process) lookAtDisk() {
	limit := p.command.Policy.DiskBytes
	if limit == 0 {
		return
	}
	if taken := p.allocated(p.command.Folder); taken > limit {
		p.end(&End{Kind: DiskQuota, Limit: fmt.Sprintf("its folder grew to %s, and the worker allows %s", bytesText(taken), bytesText(limit))}, supervisor.Kill)
	}
}

// allocated is what the files below folder take on disk. Holes take nothing, a file with several names counts once, and
// files that vanish meanwhile count nothing. It gives up when the tree is over.
func (p *Process) allocated(folder string) int64 {
	type file struct{ device, inode uint64 }
	counted := map[file]bool{}
	var sum int64
	_ = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		select {
		case <-p.over:
			return fs.SkipAll
		default:
		}
		if err != nil {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return nil
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		if stat.Nlink > 1 && !entry.IsDir() {
			id := file{uint64(stat.Dev), stat.Ino}
			if counted[id] {
				return nil
			}
			counted[id] = true
		}
		sum += stat.Blocks * 512 // the unit of st_blocks on Linux, whatever the file system's own
		return nil
	})
	return sum
}

// oomKills counts the processes of this machine that the kernel killed because memory ran out; -1 when it does not say.
func oomKills() int64 {
	file, err := os.Open("/proc/vmstat")
	if err != nil {
		return -1
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "oom_kill "); ok {
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}

// killAbandoned ends what a supervisor that was killed left behind. A process that began a session of its own since the
// last look and lost its parent is not found.
func (p *Process) killAbandoned() {
	for deadline := time.Now().Add(drain); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		all, err := supervisor.Processes()
		if err != nil {
			return
		}
		p.known = supervisor.Tree(all, p.head.Process.Pid, p.known)
		if len(p.known) == 0 {
			return
		}
		supervisor.KillAll(p.known, p.head.Process.Pid)
	}
}
