package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leadbaton/baton/services/internal/access"
)

// Groups of commands in the help, in the order in which a newcomer needs them.
const (
	groupRun  = "run"
	groupSet  = "set"
	groupWork = "work"
	groupLook = "look"
)

// Statuses with which the program ends.
const (
	statusOK      = 0
	statusRefused = 1
	statusUsage   = 2
)

// Formats of answers.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatCSV   = "csv"
)

const (
	envServer = "BATON_SERVER"
	envToken  = "BATON_TOKEN"
	envData   = "BATON_DATA"
)

// newRoot is the command without its commands. Its flags hold for all of them.
func newRoot(version string) *cobra.Command {
	root := &cobra.Command{
		Use:   "baton",
		Short: "Baton hands leads from marketing to sales, and can prove it",
		Long: `Baton hands leads from marketing to sales.

Leads come in from web forms, files and other programs. They are qualified by an
agreement that both departments have signed; each is given to one person, fairly
and in time; and what becomes of it comes back to marketing. Every step stands in
one log, with its reason.

To see it all happen in about a minute:

  baton demo

To begin with your own:

  baton up                                 in one terminal; the rest in another
  baton agreement init                     a starter agreement and two keys
  baton agreement propose agreement.yaml
  baton agreement sign 1 --as marketing --key marketing.key
  baton agreement sign 1 --as sales --key sales.key
  baton people add ana --role sales,qualifier
  curl -d email=you@example.com localhost:8080/hooks/web
  baton lead list

It ends with status 0 when all is well, 1 when something was refused or failed,
and 2 when the command line was wrong.`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          oneOfTheCommands,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("baton {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return misused(cmd, "%s", err.Error()) })
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Run it:"},
		&cobra.Group{ID: groupSet, Title: "Set it up:"},
		&cobra.Group{ID: groupWork, Title: "Work with leads:"},
		&cobra.Group{ID: groupLook, Title: "Look at figures and proof:"},
	)
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.String("server", orDefault(envServer, "localhost:9090"), "gRPC address of the running system ("+envServer+")")
	// The token itself is no default here: the help would show it.
	flags.String("token", "", "token that says who asks ("+envToken+"; else admin.token of the data directory)")
	flags.String("data", orDefault(envData, "./baton-data"), "data directory ("+envData+")")
	flags.String("format", formatTable, "how to answer: table or json")
	flags.Bool("plaintext", false, "talk without TLS to a server that is not on this machine")
	return root
}

// addCommands adds every command that talks to a running system, and those that
// work on a file alone.
func addCommands(root *cobra.Command) {
	root.AddCommand(
		agreementCommands(),
		scoreCommands(),
		peopleCommands(),
		sourceCommands(),
		intakeCommands(),
		channelCommands(),
		importCommand(),
		accountCommands(),
		feedbackCommands(),
		disputeCommands(),
		leadCommands(),
		personCommands(),
		queueCommand(),
		clockCommands(),
		noticeCommands(),
		targetCommands(),
		quarterCommands(),
		checkCommands(),
		reportCommand(),
		exportCommand(),
		rebuildCommand(),
		replayCommand(),
	)
}

func orDefault(env, otherwise string) string {
	if v := os.Getenv(env); v != "" {
		return v
	}
	return otherwise
}

// usageError is a command line that cannot be carried out as it stands.
type usageError struct {
	text string
	path string // of the command, for the hint
}

func (e *usageError) Error() string { return e.text }

func misused(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...), path: cmd.CommandPath()}
}

// finish says what went wrong, if anything, in one sentence, and answers the
// status with which the program ends.
func finish(w io.Writer, err error) int {
	if err == nil {
		return statusOK
	}
	name := "baton:"
	if coloured(w) {
		name = "\x1b[31mbaton:\x1b[0m"
	}
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(w, "%s %s\nTry %s --help.\n", name, plain(usage.text), usage.path)
		return statusUsage
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(w, "%s stopped\n", name)
		return statusRefused
	}
	fmt.Fprintf(w, "%s %s\n", name, plain(access.FaultOf(err).Error()))
	return statusRefused
}

// group is a command that only holds others.
func group(c *cobra.Command, members ...*cobra.Command) *cobra.Command {
	c.Args = oneOfTheCommands
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return misused(cmd, "say what to do: %s", strings.Join(namesOf(cmd), ", "))
	}
	c.AddCommand(members...)
	return c
}

func namesOf(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			names = append(names, c.Name())
		}
	}
	return names
}

// oneOfTheCommands refuses a word that is none of a command's commands.
func oneOfTheCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		hint = "; did you mean " + strings.Join(like, " or ") + "?"
	}
	return misused(cmd, "there is no command %q%s", cmd.CommandPath()+" "+args[0], hint)
}

// exactly takes as many words as there are names, and says which is missing.
func exactly(names ...string) cobra.PositionalArgs { return between(len(names), names...) }

// between takes at least so many of the named words.
func between(least int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return misused(cmd, "%s is missing", names[len(args)])
		case len(args) > len(names):
			return misused(cmd, "%q is one word too many", args[len(names)])
		}
		return nil
	}
}

// formatOf is how the answer is wanted.
func formatOf(cmd *cobra.Command, allowed ...string) (string, error) {
	if len(allowed) == 0 {
		allowed = []string{formatTable, formatJSON}
	}
	f, err := cmd.Flags().GetString("format")
	if err != nil {
		return "", err
	}
	if !slices.Contains(allowed, f) {
		return "", misused(cmd, "--format is %q; it can be %s", f, strings.Join(allowed, " or "))
	}
	return f, nil
}
