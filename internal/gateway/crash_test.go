package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/predictionlog"
)

// The test binary doubles as the gateway that is killed.
const childMode = "GATEWAY_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childMode) == "" {
		os.Exit(m.Run())
	}
	if err := serveUntilKilled(); err != nil {
		panic(err)
	}
}

func serveUntilKilled() error {
	store, err := artifact.OpenDir(os.Getenv("STORE"))
	if err != nil {
		return err
	}
	src := newSource(Serving{Champion: 1}, &fakePredictor{})
	g, err := New(Config{Store: store, Spool: os.Getenv("SPOOL"), Source: src, SegmentAge: time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := g.Sync(context.Background()); err != nil {
		return err
	}
	ln, err := Listen("127.0.0.1:0", "--gateway")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	return g.Serve(context.Background(), ln, time.Second)
}

func TestAKilledGatewayHasRecordedEveryAnswerItGave(t *testing.T) {
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	spool := t.TempDir()
	var mu sync.Mutex
	answered := map[string]bool{}
	for round, answers := range []int{1, 40, 250} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childMode+"=1", "STORE="+store.String(), "SPOOL="+spool)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		address := bufio.NewScanner(out)
		require.True(t, address.Scan())

		enough := make(chan struct{})
		var once sync.Once
		var callers sync.WaitGroup
		count := 0
		for caller := range 3 {
			callers.Go(func() {
				for i := 0; ; i++ {
					id := fmt.Sprintf("%d-%d-%d", round, caller, i)
					resp, err := http.Post("http://"+address.Text()+"/v2/models/credit/infer", "application/json", strings.NewReader(`{"id":"`+id+`","instances":[{"age":1,"sex":null}]}`))
					if err != nil {
						return // killed
					}
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if err != nil || resp.StatusCode != 200 {
						return
					}
					mu.Lock()
					answered[id] = true
					if count++; count >= answers {
						once.Do(func() { close(enough) })
					}
					mu.Unlock()
				}
			})
		}
		<-enough
		require.NoError(t, cmd.Process.Kill())
		callers.Wait()
		require.Error(t, cmd.Wait(), "killed")
	}
	require.NoError(t, predictionlog.Recover(t.Context(), store, spool))
	seen := map[string]int{}
	for _, r := range readLog(t, store) {
		seen[r.ID]++
		require.Equal(t, 1, seen[r.ID], r.ID)
	}
	for id := range answered {
		require.Equal(t, 1, seen[id], id)
	}
}
