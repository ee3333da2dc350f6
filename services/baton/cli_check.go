package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/lead"
)

func checkCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "check",
		GroupID: groupLook,
		Short:   "Checks of how marketing and sales work together, opened when figures fall",
		Long: `Three days after each month Baton looks whether opportunities or revenue fell against
the months before. If they did it opens one check, with the signs that the log shows;
while it is open there is no other. docs/alarms.md says what counts as a fall.`,
	}, checkList(), checkClose())
}

func checkList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the checks, the latest first, with what fell and which signs the log shows",
		Long: `Lists the checks, the latest first, with what fell and which of the seven signs the
log shows.`,
		Example: `  baton check list`,
		Args:    exactly(),
		RunE: client(func(c *call) error {
			got, err := c.feedback().ListChecks(c.ctx, &feedbackv1.ListChecksRequest{})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, got)
			}
			if len(got.GetChecks()) == 0 {
				_, err := fmt.Fprintln(out, "There are no checks: neither opportunities nor revenue fell in a month against the months before, or there are too few months yet.")
				return err
			}
			for i, one := range got.GetChecks() {
				if i > 0 {
					fmt.Fprintln(out)
				}
				if err := c.showCheck(one); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}

func (c *call) showCheck(one *feedbackv1.Check) error {
	out := c.cmd.OutOrStdout()
	opened := one.GetOpened()
	standing := "open since " + stamp(one.GetOpenedAt())
	if !one.GetOpen() {
		standing = "closed on " + stamp(one.GetClosedAt()) + ": " + one.GetFound()
	}
	fmt.Fprintf(out, "%s, %s\n", opened.GetMonth(), standing)
	for _, f := range opened.GetFalls() {
		worth := func(n int64) string {
			if f.GetCurrency() != "" {
				return lead.Money(n, f.GetCurrency())
			}
			return grouped(n)
		}
		fmt.Fprintf(out, "%s fell: %s in the month, %s in the %d months before.\n", strings.ToUpper(f.GetWhat()[:1])+f.GetWhat()[1:], worth(f.GetMonth()), worth(f.GetBefore()), f.GetMonths())
	}
	t := table{head: []string{"SIGN", "NAME", "THE LOG", "WHAT IT SHOWS"}, most: 90}
	for _, s := range opened.GetSigns() {
		t.add(fmt.Sprint(s.GetNumber()), strings.ReplaceAll(s.GetName(), "-", " "), strings.ReplaceAll(s.GetState(), "-", " "), s.GetText())
	}
	return t.write(out)
}

func checkClose() *cobra.Command {
	c := &cobra.Command{
		Use:   "close MONTH --found agreement|process|market|nothing",
		Short: "Say what both departments found",
		Long: `Closes a check: the agreement is to change, the way of working is, there was less demand
(market), or nothing is to change. It is said once; the next fall opens another check.`,
		Example: `  baton check close 2026-11 --found process`,
		Args:    exactly("MONTH"),
	}
	found := c.Flags().String("found", "", "agreement, process, market or nothing")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if *found == "" {
			return misused(cmd, "say with --found what both departments found: agreement, process, market or nothing")
		}
		return client(func(c *call) error {
			one, err := c.feedback().CloseCheck(c.ctx, &feedbackv1.CloseCheckRequest{Month: c.args[0], Found: *found, IdempotencyKey: orNewKey(*key)})
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), one)
			}
			return c.showCheck(one)
		})(cmd, args)
	}
	return c
}
