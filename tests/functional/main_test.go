// Package functional drives a real local stack as clients do: plain JSON to Temporal, HTTP to the gateway, and the
// starter's commands. One stack serves all tests of the package; each test has a model of its own.
package functional

import (
	"fmt"
	"os"
	"testing"

	"github.com/assay-ml/assay/tests/naivebayes"
	"github.com/assay-ml/assay/tests/stacktest"
)

// local is the stack all tests share. It has one simulated device.
var local *stacktest.Stack

func TestMain(m *testing.M) {
	naivebayes.Main() // as a program of a worker
	os.Exit(run(m))
}

func run(m *testing.M) int {
	program, err := os.Executable()
	if err == nil {
		local, err = stacktest.Start("cpu:1", program)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for name, value := range local.Environment() {
		os.Setenv(name, value)
	}
	code := m.Run()
	if err := local.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
