// Command starter starts lifecycles, shows them, and carries people's decisions to them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/assay-ml/assay/starter/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
