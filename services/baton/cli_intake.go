package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

func intakeCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "intake",
		GroupID: groupLook,
		Short:   "What became of everything that the door acknowledged",
		Long: `What the door acknowledged is never lost, and each submission ends in exactly one
outcome. The ledger of intake shows that it does.`,
	}, intakeLedger())
}

func intakeLedger() *cobra.Command {
	c := &cobra.Command{
		Use:   "ledger",
		Short: "Count the outcomes of a span, and check that they add up",
		Long: `Counts, for any span by time of receipt, what became of everything that the door
acknowledged. The requests are counted where they were kept, the outcomes where
they were written: each proves the other. It ends with status 1 if they do not add
up.

  lead           opened a lead
  needs-mapping  opened a lead, but nothing to reach the person by was found
  repeat         the same submission again      revision  the same with other contents
  touch          joined a lead                  test, spam, refused, ignored
  held           waits until its source is resumed
  waiting-for-details  the tool is asked for the answers`,
		Example: `  baton intake ledger
  baton intake ledger --from 2026-03-01 --to 2026-04-01 --source web`,
		Args: exactly(),
	}
	flags := c.Flags()
	flags.String("from", "", "received from then on")
	flags.String("to", "", "received before then")
	source := flags.String("source", "", "only this source")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		req := &intakev1.GetIntakeLedgerRequest{Source: *source}
		var err error
		if req.From, req.To, err = spanFlags(cmd); err != nil {
			return err
		}
		return client(func(c *call) error {
			got, err := c.intake().GetIntakeLedger(c.ctx, req)
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				err = writeMessage(c.cmd.OutOrStdout(), got)
			} else {
				err = writeLedger(c.cmd.OutOrStdout(), got)
			}
			return errors.Join(err, unbalanced(got))
		})(cmd, args)
	}
	return c
}

// sums adds up the outcomes of a ledger of intake.
func sums(l *intakev1.GetIntakeLedgerResponse) (outcomes int64) {
	for _, row := range l.GetRows() {
		outcomes += row.GetCount()
	}
	return outcomes
}

// unbalanced says what does not add up; nil = it all does.
func unbalanced(l *intakev1.GetIntakeLedgerResponse) error {
	switch {
	case l.GetAcknowledged() != l.GetWorked()+l.GetUnworked():
		return fmt.Errorf("it does not add up: %s acknowledged, but %s have an outcome and %s have none; baton verify says where", counted(l.GetAcknowledged(), "request was", "requests were"), grouped(l.GetWorked()), grouped(l.GetUnworked()))
	case sums(l) != l.GetSubmissions():
		return fmt.Errorf("it does not add up: %s held %s, but they have %s; baton verify says where", counted(l.GetWorked(), "request", "requests"), counted(l.GetSubmissions(), "submission", "submissions"), counted(sums(l), "outcome", "outcomes"))
	}
	return nil
}

func writeLedger(w io.Writer, l *intakev1.GetIntakeLedgerResponse) error {
	if l.GetAcknowledged() == 0 && len(l.GetRows()) == 0 {
		_, err := fmt.Fprintln(w, "Nothing was acknowledged in this span. baton source list shows the addresses that tools post to.")
		return err
	}
	t := table{head: []string{"SOURCE", "OUTCOME", "SUBMISSIONS"}}
	for _, row := range l.GetRows() {
		t.add(row.GetSource(), row.GetOutcome(), grouped(row.GetCount()))
	}
	t.add("all", "", grouped(sums(l)))
	if err := t.write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s acknowledged = %s with an outcome + %s not worked yet.\nTheir %s have %s.\n",
		counted(l.GetAcknowledged(), "request", "requests"), grouped(l.GetWorked()), grouped(l.GetUnworked()),
		counted(l.GetSubmissions(), "submission", "submissions"), counted(sums(l), "outcome", "outcomes"))
	return err
}
