package supervisor

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// File descriptors of a supervisor besides the standard ones. stdin is /dev/null, stdout and stderr are the program's.
const (
	ordersFile  = 3 // an order, then requests; its end means that the worker is gone
	reportsFile = 4 // reports
)

// settle is how long processes that outlive the program may take to end by themselves. Python's multiprocessing has a
// helper that sees its parent go and then removes shared memory, which must not be cut short.
const settle = 500 * time.Millisecond

func init() {
	if len(os.Args) > 0 && os.Args[0] == Name {
		// os.Exit would run what a worker's packages leave for the end, such as the race detector's pause.
		syscall.Exit(supervise(os.NewFile(ordersFile, "orders"), os.NewFile(reportsFile, "reports")))
	}
}

func supervise(ordersIn, reportsOut *os.File) int {
	// Affinity, priority and what prctl sets belong to a thread, and a child gets them from the thread that forks it.
	// The program's death signal follows this thread too, which lives as long as the process.
	runtime.LockOSThread()
	closeOnExec()
	ignoreSignals()

	decoder := json.NewDecoder(ordersIn)
	var o Order
	if err := decoder.Decode(&o); err != nil {
		fmt.Fprintf(os.Stderr, "%s: read what to run: %v; this process is only started by a worker\n", Name, err)
		return 2
	}
	reports := json.NewEncoder(reportsOut)
	s := supervisor{Order: o, self: os.Getpid(), begun: time.Now()}
	if err := s.start(); err != nil {
		errno, _ := err.(syscall.Errno)
		if errno == 0 {
			errno = syscall.EIO
		}
		_ = reports.Encode(Report{Failed: errno})
		return 1
	}
	_ = reports.Encode(Report{Pid: s.main})

	requests, statuses := make(chan Request), make(chan syscall.WaitStatus, 1)
	go func() {
		defer close(requests)
		for {
			var r Request
			if decoder.Decode(&r) != nil {
				return
			}
			requests <- r
		}
	}()
	go reap(s.main, statuses)
	followed := make(chan struct{})
	go func() { // on a thread that has neither the program's priority nor its processors
		defer close(followed)
		s.run(requests, statuses)
	}()
	<-followed

	if err := reports.Encode(Report{Ended: &s.ended}); err != nil || s.orphaned {
		removeFolder(string(o.Folder))
	}
	return 0
}

type supervisor struct {
	Order
	self     int
	main     int // pid of the program
	begun    time.Time
	mainDone bool
	orphaned bool // the worker is gone
	ended    Ended
}

func (s *supervisor) start() error {
	for _, set := range [][2]uintptr{
		{prSetChildSubreaper, 1},
		// A program that gains another user's rights could no longer be ended.
		{prSetNoNewPrivs, 1},
	} {
		if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, set[0], set[1], 0, 0, 0, 0); errno != 0 {
			return errno
		}
	}
	if len(s.CPUs) > 0 {
		if err := setAffinity(s.CPUs); err != nil {
			return err
		}
	}
	// A dump of a large process would fill the disk outside the folder that is measured.
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	restore := volunteer()
	defer restore()
	yield()

	attr := &syscall.ProcAttr{
		Dir: string(s.Dir), Env: texts(s.Env), Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}
	for deadline := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
		pid, err := syscall.ForkExec(string(s.Path), texts(s.Args), attr)
		// A worker that has just written the executable may have forked for another run meanwhile, and that child holds
		// the file open for writing until it executes its own program.
		if err == syscall.ETXTBSY && time.Now().Before(deadline) {
			continue
		}
		s.main = pid
		return err
	}
}

func texts(raw [][]byte) []string {
	all := make([]string, len(raw))
	for i, b := range raw {
		all[i] = string(b)
	}
	return all
}

// The options of prctl(2), which package syscall does not name.
const (
	prSetChildSubreaper = 36
	prSetNoNewPrivs     = 38
)

// run follows the program until no descendant is left: then reap finds no child any more, for whoever lost its parent
// became a child of this process.
func (s *supervisor) run(requests <-chan Request, statuses <-chan syscall.WaitStatus) {
	var killing, strike bool // killing: from now on everything is killed; strike: now
	pause := 5 * time.Millisecond
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	for {
		strike = false
		select {
		case r, open := <-requests:
			if !open {
				requests, s.orphaned, strike = nil, true, true
				break
			}
			s.ended.Asked = s.ended.Asked || !s.mainDone
			if r == Kill || s.Grace <= 0 {
				strike = true
			} else if !s.mainDone && !killing {
				_ = syscall.Kill(-s.main, syscall.SIGTERM)
				_ = syscall.Kill(-s.main, syscall.SIGCONT) // a program that is suspended would not see it
				timer.Reset(s.Grace)
			}
		case status, open := <-statuses:
			if !open {
				s.sum()
				return
			}
			s.mainDone, s.ended.Status, s.ended.Wall = true, status, time.Since(s.begun)
			if !killing {
				timer.Reset(settle)
			}
		case <-timer.C:
			if s.mainDone && !killing {
				s.ended.Strays = s.strays()
			}
			strike = true
		}
		if strike {
			killing = true
			KillAll(s.below(), s.self)
			timer.Reset(pause) // what was forked while the processes were listed is found the next time
			pause = min(2*pause, settle)
		}
	}
}

func (s *supervisor) below() []Member {
	all, err := Processes()
	if err != nil {
		return nil
	}
	return Tree(all, s.self, nil)
}

func (s *supervisor) strays() []string {
	var names []string
	for _, m := range s.below() {
		if len(names) == 5 {
			return append(names, "...")
		}
		names = append(names, m.Name+" ("+strconv.Itoa(m.PID)+")")
	}
	return names
}

// sum counts what all children took, those included that their own parents waited for.
func (s *supervisor) sum() {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage) == nil {
		s.ended.CPU = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
		s.ended.Resident = usage.Maxrss * 1024
	}
}

// reap waits for every child, until there is none. It tells how the program itself ended, and waits for no one with the
// others: dead processes that nobody asks for would slow down the search for those that live.
func reap(program int, statuses chan<- syscall.WaitStatus) {
	defer close(statuses)
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return
		case pid == program:
			statuses <- status
		}
	}
}

// closeOnExec keeps from the program what the worker, or a C library in it, left open for its children.
func closeOnExec() {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, f := range open {
		if fd, err := strconv.Atoi(f.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// ignoreSignals lets nothing but the worker end a supervisor: a service manager sends SIGTERM to all processes of a
// service, and the worker decides how long its programs go on. The runtime, which has handlers for these signals,
// resets them in a child, so that the program does not inherit that they are ignored.
func ignoreSignals() {
	ignore := [4]uintptr{1} // struct sigaction of the kernel: the handler, SIG_IGN, comes first
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&ignore)), 0, 8, 0, 0)
	}
}

// yield lowers the priority of this thread, and so the program's: the worker, which watches it and tells the server that
// it is alive, must get its turn however many processes the program starts.
func yield() {
	const steps = 5
	if raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err == nil {
		nice := 20 - raw // the kernel gives it so, in order that it be positive
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, min(nice+steps, 19))
	}
}

// volunteer makes the program a likelier victim than the worker when the kernel runs out of memory. A child inherits the
// score, and an unprivileged process may lower its own only to what it was.
func volunteer() (restore func()) {
	const file, likelier = "/proc/self/oom_score_adj", 500
	was, err := os.ReadFile(file)
	if err != nil {
		return func() {}
	}
	if score, err := strconv.Atoi(strings.TrimSpace(string(was))); err != nil || score >= likelier {
		return func() {}
	}
	if os.WriteFile(file, []byte(strconv.Itoa(likelier)), 0) != nil {
		return func() {}
	}
	return func() { _ = os.WriteFile(file, was, 0) }
}

// removeFolder removes a folder whose worker is gone, also directories that the program made read-only.
func removeFolder(folder string) {
	if folder == "" || os.RemoveAll(folder) == nil {
		return
	}
	unseal(folder)
	_ = os.RemoveAll(folder)
}

func unseal(folder string) {
	_ = os.Chmod(folder, 0o700)
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		if e.IsDir() {
			unseal(folder + "/" + e.Name())
		}
	}
}
