// Command baton runs the handoff of leads between marketing and sales, and is
// the tool to look at it. It promises that nothing needs to be installed: one
// process holds every service, its log and its state.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version of the program; the build may set it.
var version = "0.1.0"

func main() {
	os.Exit(execute(os.Args[1:]))
}

// execute runs one command line and answers its status.
func execute(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends at once: nothing is lost by it, only left unsaid.
	context.AfterFunc(ctx, stop)
	root := program()
	root.SetArgs(args)
	return finish(os.Stderr, root.ExecuteContext(ctx))
}

// program is the command with all of its commands.
func program() *cobra.Command {
	root := newRoot(version)
	addCommands(root)
	root.AddCommand(upCommand(), demoCommand(), simulateCommand(), verifyCommand(), benchCommand())
	return root
}
