package functional

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/tests/stacktest"
)

// TestTroubleThatPasses takes a source whose server is away: nothing is lost, people are told what is tried again, and the
// lifecycle goes on when the server is back.
func TestTroubleThatPasses(t *testing.T) {
	t.Parallel()
	port, err := stacktest.FreePort()
	require.NoError(t, err)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	l := start(t, loanSpec("source-away", "http://"+address+"/loans.csv"))
	waitUntil(t, "the status tells of a failure that is tried again", func() bool {
		said := starter(t, "status", l.id)
		return strings.Contains(said.out, "Ingest failed") && strings.Contains(said.out, "is tried again at")
	})

	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, loans(400))
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	l.underReview()
	require.NotContains(t, starter(t, "status", l.id).out, "failed")
}
