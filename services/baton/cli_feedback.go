package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

func feedbackCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "feedback",
		GroupID: groupWork,
		Short:   "What sales learned from leads, and outcomes that wait",
		Long: `What sales learned from leads that marketing wants to know, and the outcomes of other
systems that wait for their leads. What became of a lead is said by baton lead outcome.

  baton feedback form LEAD                      what is asked, and what can be answered
  baton feedback give LEAD --interest 4 --talk well --phrase "too slow"
  baton feedback list --campaign spring         what was said of a campaign's leads`,
	}, feedbackForm(), feedbackGive(), feedbackList(), &cobra.Command{
		Use:   "waiting",
		Short: "Outcomes that wait for their leads",
		Long: `Lists the outcomes that were imported before their leads, in the order in which they
came. Each is recorded on its lead as soon as the lead is received.`,
		Example: `  baton feedback waiting`,
		Args:    exactly(),
		RunE: client(func(c *call) error {
			service := feedbackv1.NewFeedbackServiceClient(c.conn)
			all := &feedbackv1.ListWaitingOutcomesResponse{}
			for token := ""; ; {
				page, err := service.ListWaitingOutcomes(c.ctx, &feedbackv1.ListWaitingOutcomesRequest{PageSize: 500, PageToken: token})
				if err != nil {
					return err
				}
				all.Outcomes = append(all.Outcomes, page.GetOutcomes()...)
				if token = page.GetNextPageToken(); token == "" {
					break
				}
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, all)
			}
			if len(all.GetOutcomes()) == 0 {
				_, err := fmt.Fprintln(out, "No outcome waits.")
				return err
			}
			t := table{head: []string{"LEAD TO COME", "SOURCE", "OUTCOME", "BY", "HAPPENED", "WAITS SINCE"}}
			for _, o := range all.GetOutcomes() {
				kind := strings.ToLower(strings.TrimPrefix(o.GetKind().String(), "OUTCOME_KIND_"))
				t.add(o.GetLeadId(), o.GetSource(), kind, dash(o.GetMember()), stamp(o.GetOccurredAt()), stamp(o.GetSince()))
			}
			return t.write(out)
		}),
	})
}

func accountCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "account",
		GroupID: groupSet,
		Short:   "Companies that are known, and who owns them",
		Long: `Companies whose people may become leads: domain, name, owner, segment, industry, size
and country. They come in with baton import FILE --kind accounts.`,
	}, &cobra.Command{
		Use:     "list",
		Short:   "List the companies by domain or name",
		Long:    `Lists the companies by domain, those without one by name.`,
		Example: `  baton account list`,
		Args:    exactly(),
		RunE: client(func(c *call) error {
			service := intakev1.NewIntakeServiceClient(c.conn)
			all := &intakev1.ListAccountsResponse{}
			for token := ""; ; {
				page, err := service.ListAccounts(c.ctx, &intakev1.ListAccountsRequest{PageSize: 500, PageToken: token})
				if err != nil {
					return err
				}
				all.Accounts = append(all.Accounts, page.GetAccounts()...)
				if token = page.GetNextPageToken(); token == "" {
					break
				}
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, all)
			}
			if len(all.GetAccounts()) == 0 {
				_, err := fmt.Fprintln(out, "No account is known; begin with baton import accounts.csv --kind accounts.")
				return err
			}
			t := table{head: []string{"DOMAIN", "NAME", "OWNER", "SEGMENT", "INDUSTRY", "EMPLOYEES", "COUNTRY"}}
			for _, a := range all.GetAccounts() {
				employees := ""
				if n := a.GetEmployees(); n > 0 {
					employees = grouped(n)
				}
				t.add(dash(a.GetDomain()), dash(a.GetName()), dash(a.GetOwner()), dash(a.GetSegment()), dash(a.GetIndustry()), dash(employees), dash(a.GetCountry()))
			}
			return t.write(out)
		}),
	})
}
