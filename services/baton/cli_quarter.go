package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

func quarterCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "quarter",
		GroupID: groupLook,
		Short:   "Quarters: what was stated of their targets, and what is done about a miss",
		Long: `A quarter that is over is closed: that states what became of its targets, for ever.
What becomes known later is counted anew beside it. A target that was missed wants an
owner and a plan before the next quarter's targets can be signed.`,
	}, quarterList(), quarterClose(), quarterRestate(), quarterRecover())
}

func quarterList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the quarters that have targets, the latest first",
		Long:    `Lists the quarters that somebody proposed targets for, the latest first.`,
		Example: `  baton quarter list`,
		Args:    exactly(),
		RunE: client(func(c *call) error {
			got, err := c.feedback().ListQuarters(c.ctx, &feedbackv1.ListQuartersRequest{})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, got)
			}
			if len(got.GetQuarters()) == 0 {
				_, err := fmt.Fprintln(out, "No quarter has targets yet; baton target propose QUARTER --file targets.yaml begins.")
				return err
			}
			t := table{head: []string{"QUARTER", "FROM", "BEFORE", "TARGETS", "MISSED", "STANDING"}, most: 70}
			for _, q := range got.GetQuarters() {
				missed := "-"
				if q.GetClosed() != nil {
					n := 0
					for _, r := range q.GetClosed().GetResults() {
						if r.GetMissed() {
							n++
						}
					}
					missed = strconv.Itoa(n)
				}
				t.add(q.GetQuarter(), stamp(q.GetFrom()), stamp(q.GetTo()), strconv.Itoa(len(q.GetProposed().GetTargets())), missed, quarterStanding(q))
			}
			return t.write(out)
		}),
	}
}

// answerQuarter shows a quarter that a command has changed.
func (c *call) answerQuarter(q *feedbackv1.Quarter, err error, said string) error {
	if err != nil {
		return err
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, q)
	}
	_, err = fmt.Fprintf(out, "%s %s\nbaton target show %s shows what came of it.\n", said, quarterStanding(q), q.GetQuarter())
	return err
}

func quarterClose() *cobra.Command {
	c := &cobra.Command{
		Use:   "close QUARTER",
		Short: "State what became of a quarter's targets, once and for ever",
		Long: `Counts the targets by the log as it stands and states the result. It is never changed;
what becomes known later is counted by baton quarter restate and stands beside it. A
quarter that is not over, or whose targets only one side has signed, is not closed.`,
		Example: `  baton quarter close 2026-q4`,
		Args:    exactly("QUARTER"),
	}
	key := keyFlag(c)
	c.RunE = client(func(c *call) error {
		q, err := c.feedback().CloseQuarter(c.ctx, &feedbackv1.CloseQuarterRequest{Quarter: c.args[0], IdempotencyKey: orNewKey(*key)})
		return c.answerQuarter(q, err, "Closed.")
	})
	return c
}

func quarterRestate() *cobra.Command {
	c := &cobra.Command{
		Use:   "restate QUARTER --why TEXT",
		Short: "Count a closed quarter anew, beside what was stated",
		Long: `Counts the targets of a closed quarter by all that is known by now. What was stated
when it was closed stays readable beside it.`,
		Example: `  baton quarter restate 2026-q4 --why "deals that were entered late"`,
		Args:    exactly("QUARTER"),
	}
	why := c.Flags().String("why", "", "why it is counted anew")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(*why) == "" {
			return misused(cmd, "say with --why for what reason it is counted anew")
		}
		return client(func(c *call) error {
			q, err := c.feedback().RestateQuarter(c.ctx, &feedbackv1.RestateQuarterRequest{Quarter: c.args[0], IdempotencyKey: orNewKey(*key), Why: *why})
			return c.answerQuarter(q, err, "Counted anew.")
		})(cmd, args)
	}
	return c
}

func quarterRecover() *cobra.Command {
	c := &cobra.Command{
		Use:   "recover QUARTER TARGET --owner HANDLE --by INSTANT --plan TEXT",
		Short: "Say who makes good for a missed target, how, and by when",
		Long: `Names an owner and a plan for a target that was missed. The plan is sealed: both
departments read it, the log holds it in no readable form. Another plan for the same
target stands beside the first.`,
		Example: `  baton quarter recover 2026-q4 mql-de --owner mia --by 2027-02-15 --plan "two webinars more, for machine builders"`,
		Args:    exactly("QUARTER", "TARGET"),
	}
	flags := c.Flags()
	owner := flags.String("owner", "", "whose it is, by handle")
	flags.String("by", "", "by when")
	plan := flags.String("plan", "", "the plan; sealed")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		due, err := instantFlag(cmd, "by")
		switch {
		case err != nil:
			return err
		case *owner == "":
			return misused(cmd, "say with --owner whose it is")
		case due == nil:
			return misused(cmd, "say with --by until when")
		case strings.TrimSpace(*plan) == "":
			return misused(cmd, "say with --plan what is done")
		}
		return client(func(c *call) error {
			q, err := c.feedback().PlanRecovery(c.ctx, &feedbackv1.PlanRecoveryRequest{
				Quarter: c.args[0], TargetId: c.args[1], Member: *owner, DueAt: due, Plan: *plan, IdempotencyKey: orNewKey(*key),
			})
			return c.answerQuarter(q, err, "Planned.")
		})(cmd, args)
	}
	return c
}
