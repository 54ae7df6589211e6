package program

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/program/supervisor"
	"github.com/stretchr/testify/require"
)

func TestJudge(t *testing.T) {
	const well, three, killedInShell = syscall.WaitStatus(0), syscall.WaitStatus(3 << 8), syscall.WaitStatus(137 << 8)
	const segv, killed = syscall.WaitStatus(syscall.SIGSEGV), syscall.WaitStatus(syscall.SIGKILL)
	stop := &End{Kind: Stopped, Why: context.Canceled}
	late := &End{Kind: TimeLimit, Limit: "it ran longer than 1h0m0s"}
	for name, given := range map[string]struct {
		reason        *End
		ended         supervisor.Ended
		lost, starved bool
		want          *End
	}{
		"well":                                   {ended: supervisor.Ended{Status: well}},
		"well, while others starved":             {ended: supervisor.Ended{Status: well}, starved: true},
		"well, before it was asked":              {reason: stop, ended: supervisor.Ended{Status: well}},
		"well, after it was asked":               {reason: stop, ended: supervisor.Ended{Status: well, Asked: true}, want: &End{Kind: Stopped, Why: context.Canceled}},
		"an exit":                                {ended: supervisor.Ended{Status: three}, want: &End{Kind: Exited, Code: 3}},
		"an exit before it was asked":            {reason: stop, ended: supervisor.Ended{Status: three}, want: &End{Kind: Exited, Code: 3}},
		"an exit, while others starved":          {ended: supervisor.Ended{Status: three}, starved: true, want: &End{Kind: Exited, Code: 3}},
		"a crash":                                {ended: supervisor.Ended{Status: segv}, want: &End{Kind: Signalled, Signal: syscall.SIGSEGV}},
		"a crash, while others starved":          {ended: supervisor.Ended{Status: segv}, starved: true, want: &End{Kind: Signalled, Signal: syscall.SIGSEGV}},
		"killed by someone":                      {ended: supervisor.Ended{Status: killed}, want: &End{Kind: Signalled, Signal: syscall.SIGKILL}},
		"killed by the kernel":                   {ended: supervisor.Ended{Status: killed}, starved: true, want: &End{Kind: OutOfMemory, Signal: syscall.SIGKILL}},
		"its child was killed by the kernel":     {ended: supervisor.Ended{Status: killedInShell}, starved: true, want: &End{Kind: OutOfMemory, Code: 137}},
		"killed by us":                           {reason: late, ended: supervisor.Ended{Status: killed, Asked: true}, starved: true, want: &End{Kind: TimeLimit, Signal: syscall.SIGKILL, Limit: "it ran longer than 1h0m0s"}},
		"with its supervisor, by the kernel":     {lost: true, starved: true, want: &End{Kind: OutOfMemory, Signal: syscall.SIGKILL}},
		"with its supervisor, when it was asked": {reason: stop, lost: true, want: &End{Kind: Stopped, Signal: syscall.SIGKILL, Why: context.Canceled}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, given.want, judge(given.reason, given.ended, given.lost, given.starved))
		})
	}
	lost := judge(nil, supervisor.Ended{}, true, false)
	require.Equal(t, Signalled, lost.Kind)
	require.Error(t, lost.Why)
}

func TestEveryEndSaysWhatHappenedAndWhatToDo(t *testing.T) {
	for _, given := range []struct {
		end  End
		says []string
	}{
		{End{Kind: Exited, Code: 3, Tail: "KeyError: 'age'"}, []string{"exited with status 3; expected 0", "KeyError: 'age'"}},
		{End{Kind: Exited, Code: 127}, []string{"status 127", "did not find a command", "wrote no output"}},
		{End{Kind: Exited, Code: 126}, []string{"could not execute"}},
		{End{Kind: Exited, Code: 137}, []string{"signal 9", "killed"}},
		{End{Kind: Signalled, Signal: syscall.SIGSEGV}, []string{"signal 11", "segmentation fault", "did not send", "may have crashed"}},
		{End{Kind: Signalled, Signal: syscall.SIGKILL, Why: errors.New("its supervisor was killed")}, []string{"its supervisor was killed"}},
		{End{Kind: OutOfMemory, Limit: "its processes took 2.0 GiB of memory, and the worker allows 1.0 GiB"}, []string{"allows 1.0 GiB", "smaller batches"}},
		{End{Kind: OutOfMemory}, []string{"no memory left", "more memory"}},
		{End{Kind: TimeLimit, Limit: "it ran longer than 1h0m0s"}, []string{"longer than 1h0m0s", "time_limit"}},
		{End{Kind: DiskQuota, Limit: "its folder grew to 2.0 GiB, and the worker allows 1.0 GiB"}, []string{"grew to 2.0 GiB", "checkpoints"}},
		{End{Kind: TooManyProcesses, Limit: "60 of its processes ran at once, and the worker allows 50"}, []string{"allows 50", "loading processes"}},
		{End{Kind: Stopped, Why: errors.New("the lifecycle was cancelled")}, []string{"stopped: the lifecycle was cancelled"}},
		{End{Kind: Stopped}, []string{"was stopped"}},
	} {
		for _, says := range given.says {
			require.ErrorContains(t, &given.end, says)
		}
		require.NotContains(t, given.end.Error(), "%!")
		require.NotContains(t, given.end.Error(), "..")
	}
	require.ErrorIs(t, &End{Kind: Stopped, Why: context.Canceled}, context.Canceled)
}

func TestTheShorterTimeLimitCounts(t *testing.T) {
	for _, given := range []struct{ policy, spec, want time.Duration }{
		{0, 0, 0}, {0, time.Hour, time.Hour}, {time.Hour, 0, time.Hour},
		{time.Hour, time.Minute, time.Minute}, {time.Minute, time.Hour, time.Minute}, {time.Minute, -1, time.Minute},
	} {
		require.Equal(t, given.want, Policy{WallTime: given.policy}.timeLimit(given.spec))
	}
}

func TestSizesAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1024: "1.0 KiB", 5e6: "4.8 MiB", 6 << 30: "6.0 GiB", 1 << 62: "4.0 EiB"} {
		require.Equal(t, want, bytesText(n))
	}
	require.False(t, strings.Contains(bytesText(-1), "%"))
}
