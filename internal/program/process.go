package program

import (
	"encoding/json"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assay-ml/assay/internal/program/supervisor"
)

// Process is a program that was started. Its methods may be called by several goroutines at once.
type Process struct {
	command   Command
	head      *exec.Cmd // the supervisor
	pid       int
	reports   *json.Decoder
	reportsIn *os.File
	output    *os.File
	heard     atomic.Int64  // nanoseconds of the Unix time of the last output
	read      chan struct{} // closed when output was read to its end
	over      chan struct{} // closed when the tree is dead, or the supervisor
	watched   sync.WaitGroup
	done      chan struct{}
	release   func()              // of the processors
	tail      tail                // of the goroutine that reads output, until read is closed
	peak      int64               // this and known are of the goroutine that watches, until watched is through
	known     []supervisor.Member // the tree at the last look
	ooms      int64               // as oomKills was at the start

	mu       sync.Mutex
	requests *os.File           // nil when the supervisor takes none any more
	ending   *End               // why the tree was asked to end, the first reason
	asked    supervisor.Request // how, last

	usage Usage // this and err are set before done is closed
	err   error
}

// Pid is the number of the program's own process.
func (p *Process) Pid() int { return p.pid }

// Stop asks the program to end: SIGTERM to its process group, and after Command.Grace SIGKILL to all descendants. It
// does not wait. Wait then returns an *End of kind Stopped that wraps why, unless the program ended before it was asked.
// Of several reasons the first counts.
func (p *Process) Stop(why error) { p.end(&End{Kind: Stopped, Why: why}, supervisor.Stop) }

// Kill ends the program and all descendants by SIGKILL. It does not wait; Wait returns what it returns after Stop.
func (p *Process) Kill(why error) { p.end(&End{Kind: Stopped, Why: why}, supervisor.Kill) }

// Done is closed when the program and all descendants are dead and their output was read.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for Done. The error is nil only for a program that ended by itself with status 0; otherwise it is an *End.
func (p *Process) Wait() (Usage, error) {
	<-p.done
	return p.usage, p.err
}

// LastOutput is when the program last wrote something, be it part of a line; its start, when it wrote nothing yet.
func (p *Process) LastOutput() time.Time { return time.Unix(0, p.heard.Load()) }

// end asks the supervisor to end the tree, and remembers the first reason.
func (p *Process) end(reason *End, how supervisor.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.requests == nil || p.asked == how || p.asked == supervisor.Kill {
		return
	}
	if p.ending == nil {
		p.ending = reason
	}
	p.asked = how
	_ = json.NewEncoder(p.requests).Encode(how) // an error means that the supervisor is gone, which follow sees
}

// readOutput hands on every line until no process holds the other end any more.
func (p *Process) readOutput() {
	defer close(p.read)
	l := lines{each: p.line}
	buffer := make([]byte, LongestLine)
	for {
		n, err := p.output.Read(buffer)
		if n > 0 {
			p.heard.Store(time.Now().UnixNano())
			l.write(buffer[:n])
		}
		if err != nil {
			l.close()
			return
		}
	}
}

func (p *Process) line(line []byte, truncated bool) {
	p.tail.add(line)
	if p.command.Output != nil {
		p.command.Output(line, truncated)
	}
}
