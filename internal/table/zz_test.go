package table

import (
	"context"
	"fmt"
	"github.com/assay-ml/assay/internal/spec"
	"os"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	f := os.Getenv("ZZ")
	if f == "" {
		t.Skip()
	}
	lim := Limits{MemoryBytes: 512 << 20, Threads: 2}
	s, _ := lim.open(context.Background())
	defer s.close()
	st := time.Now()
	l, err := readLayout(f, spec.CSV{Header: func() *bool { b := os.Getenv("NOHEAD") == ""; return &b }()})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("layout", time.Since(st))
	st = time.Now()
	tb := newCSVTable(f, l, spec.CSV{})
	err = tb.write(context.Background(), s, spec.CSV{}, s.path("o.parquet"))
	fmt.Println("write", time.Since(st), err, tb.sampled)
	st = time.Now()
	last := time.Now()
	n := 0
	_, err = profileParquet(context.Background(), s, s.path("o.parquet"), tb.columns(), func(r int64) {
		if time.Since(last) > 200*time.Millisecond {
			fmt.Println("  ", n, time.Since(last))
		}
		n++
		last = time.Now()
	})
	fmt.Println("profile", time.Since(st), err)
	b, _ := os.ReadFile("/proc/self/status")
	for _, l := range splitLines(string(b)) {
		if len(l) > 5 && l[:5] == "VmHWM" {
			fmt.Println(l)
		}
	}
}
func splitLines(s string) (o []string) {
	cur := ""
	for _, c := range s {
		if c == '\n' {
			o = append(o, cur)
			cur = ""
		} else {
			cur += string(c)
		}
	}
	return
}
