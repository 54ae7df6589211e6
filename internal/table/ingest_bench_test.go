package table

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/synthetic"
)

// BenchmarkIngest measures ingest of generated applications against DuckDB's own conversion of the same file. ASSAY_BENCH_ROWS
// sets the size; 12000000 rows make a file of about 1 GB. Run with -benchtime 1x.
func BenchmarkIngest(b *testing.B) {
	rows := 500_000
	if s := os.Getenv("ASSAY_BENCH_ROWS"); s != "" {
		var err error
		rows, err = strconv.Atoi(s)
		require.NoError(b, err)
	}
	path := filepath.Join(b.TempDir(), "credit.csv")
	f, err := os.Create(path)
	require.NoError(b, err)
	require.NoError(b, synthetic.WriteCSV(f, synthetic.Options{Rows: rows, Seed: 7}))
	require.NoError(b, f.Close())
	src := spec.Source{URI: path}
	var plain, whole time.Duration
	for b.Loop() {
		s, err := Limits{}.open(b.Context())
		require.NoError(b, err)
		start := time.Now()
		require.NoError(b, s.exec(b.Context(), "COPY (SELECT * FROM read_csv("+text(path)+")) TO "+text(s.path("plain.parquet"))+" (FORMAT parquet, COMPRESSION zstd)"))
		plain += time.Since(start)
		s.close()

		store := newStore(b)
		start = time.Now()
		local, err := Fetch(b.Context(), src, b.TempDir())
		require.NoError(b, err)
		_, err = Ingest(b.Context(), store, local, src, Limits{}, nil)
		require.NoError(b, err)
		whole += time.Since(start)
		b.SetBytes(local.Size)
	}
	b.ReportMetric(whole.Seconds()/plain.Seconds(), "x-plain-DuckDB")
	b.ReportMetric(peakMemory(b)/(1<<20), "MiB-peak")
}

// peakMemory is the largest resident set of this process so far, in bytes; 0 where the system does not tell.
func peakMemory(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if after, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
			require.NoError(b, err)
			return kilobytes * 1024
		}
	}
	return 0
}
