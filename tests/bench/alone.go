package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/drift"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/tests/bench/figures"
)

// start measures the built binary from its start to its printed addresses, on a new state folder and on the same again.
func (b *bench) start() error {
	state, err := os.MkdirTemp("", "assay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	for _, what := range []string{"new state folder", "existing state folder"} {
		took, err := startOnce(filepath.Join(state, "s"))
		if err != nil {
			return err
		}
		b.add("start of the built local stack, "+what, fmt.Sprintf("%.2f s", took.Seconds()), "<= 5 s", "until everything answers")
	}
	return nil
}

func startOnce(state string) (time.Duration, error) {
	d, err := newDevstack(context.Background(), state)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := d.start(); err != nil {
		return 0, err
	}
	took := time.Since(begun)
	if err := d.stop(); err != nil {
		return 0, err
	}
	if conn, err := net.Dial("tcp", d.address()); err == nil {
		conn.Close()
		return 0, errors.New("the stack did not stop")
	}
	return took, nil
}

const ingestChild = "ingest-child"

// ingest compares Assay's ingest, profile included, with a plain DuckDB statement on the same file, each in a process of
// its own, in turn.
func (b *bench) ingest() error {
	size, rounds := int64(1)<<30, 3
	if b.quick {
		size, rounds = 100<<20, 1
	}
	folder, err := os.MkdirTemp("", "assay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "data.csv")
	if err := writeCSV(file, size); err != nil {
		return err
	}
	var ours, plain, ratios, memory []float64
	for range rounds {
		a, peak, err := child("assay", file, folder)
		if err != nil {
			return err
		}
		p, _, err := child("duckdb", file, folder)
		if err != nil {
			return err
		}
		ours, plain, ratios, memory = append(ours, a), append(plain, p), append(ratios, a/p), append(memory, peak)
	}
	what := fmt.Sprintf("ingest of a %.1f GB CSV", float64(size)/(1<<30))
	b.add(what+", median", fmt.Sprintf("%.1f s", figures.Quantile(ours, 0.5)), "", fmt.Sprintf("to Parquet with its profile; plain DuckDB CSV to Parquet %.1f s; %d pairs", figures.Quantile(plain, 0.5), rounds))
	b.add("  ratio to plain DuckDB, median", fmt.Sprintf("%.2f", figures.Quantile(ratios, 0.5)), "<= 2", "same library, its defaults, COPY (FROM read_csv) TO Parquet with zstd")
	b.add("  largest resident memory", fmt.Sprintf("%.0f MiB", figures.Quantile(memory, 1)), "<= 1024 MiB", "")
	return nil
}

// child runs one ingest in a process of its own and gives its seconds and peak memory in MiB.
func child(how, file, folder string) (seconds, mib float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	out, err := os.MkdirTemp(folder, how)
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(out)
	c := exec.Command(self, ingestChild, how, file, out)
	c.Stderr = os.Stderr
	begun := time.Now()
	if err := c.Run(); err != nil {
		return 0, 0, err
	}
	usage := c.ProcessState.SysUsage().(*syscall.Rusage)
	return time.Since(begun).Seconds(), float64(usage.Maxrss) / 1024, nil
}

func runIngestChild(args []string) error {
	if len(args) != 3 {
		return errors.New("the ingest child takes how, file and folder")
	}
	how, file, folder := args[0], args[1], args[2]
	if how == "duckdb" {
		return plainCopy(file, filepath.Join(folder, "out.parquet"))
	}
	ctx := context.Background()
	store, err := artifact.OpenDir(filepath.Join(folder, "store"))
	if err != nil {
		return err
	}
	source := spec.Source{URI: file}
	local, err := table.Fetch(ctx, source, folder)
	if err != nil {
		return err
	}
	_, err = table.Ingest(ctx, store, local, source, table.Limits{MemoryBytes: 512 << 20, TempDir: folder}, nil)
	return err
}

func plainCopy(file, out string) error {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(fmt.Sprintf("COPY (FROM read_csv('%s')) TO '%s' (FORMAT parquet, COMPRESSION zstd)", file, out))
	return err
}

// writeCSV makes a file of mixed columns, the same bytes each time.
func writeCSV(file string, size int64) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	rng := rand.New(rand.NewPCG(7, 7))
	cities := []string{"Lisbon", "Oslo", "Riga", "Turin", "Graz", "Ghent", "Cork", "Brno"}
	fmt.Fprintln(w, "id,amount,rate,age,city,flag,day,score,code,note")
	for written := int64(0); written < size; {
		n, err := fmt.Fprintf(w, "%d,%.2f,%.4f,%d,%s,%t,2026-%02d-%02d,%.5f,K%05d,%s\n", rng.Uint32(), rng.ExpFloat64()*1000, rng.Float64(), 18+rng.IntN(70),
			cities[rng.IntN(len(cities))], rng.IntN(2) == 0, 1+rng.IntN(12), 1+rng.IntN(28), rng.NormFloat64(), rng.IntN(100000), cities[rng.IntN(len(cities))])
		if err != nil {
			return errors.Join(err, f.Close())
		}
		written += int64(n)
	}
	return errors.Join(w.Flush(), f.Close())
}

// drift checks a window in memory against a stored reference.
func (b *bench) drift() error {
	rows, columns := 1_000_000, 100
	if b.quick {
		rows = 100_000
	}
	reference, current := &table.Profile{Rows: 100_000}, &table.Frame{Rows: rows}
	rng := rand.New(rand.NewPCG(1, 2))
	for c := range columns {
		name := "c" + strconv.Itoa(c)
		points := make([]float64, 1000)
		counts := make([]int64, len(points))
		for i := range points {
			points[i], counts[i] = -4+8*float64(i)/999, int64(100*(i+1))
		}
		reference.Columns = append(reference.Columns, table.ColumnProfile{Name: name, Type: "number", Kind: table.Numeric, ECDF: &table.ECDF{Values: points, Cumulative: counts}})
		values := make([]float64, rows)
		for i := range values {
			values[i] = -4 + 8*rng.Float64()
		}
		current.Columns = append(current.Columns, table.Column{Name: name, Kind: table.Numeric, Numbers: values})
	}
	var took []float64
	for range 3 {
		begun := time.Now()
		if _, err := drift.Check(reference, current, drift.Options{}); err != nil {
			return err
		}
		took = append(took, time.Since(begun).Seconds())
	}
	b.add(fmt.Sprintf("drift check, %d x %d columns, median", rows, columns), fmt.Sprintf("%.2f s", figures.Quantile(took, 0.5)), "<= 5 s", "window in memory against a stored profile; 3 checks")
	return nil
}
