package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

// Where people work, by which reports are split.

func peoplePlace() *cobra.Command {
	c := &cobra.Command{
		Use:   "place HANDLE [--team TEAM] [--manager HANDLE] [--office OFFICE]",
		Short: "Say in which team, under whom and where a person works",
		Long: `Says in which team, under whom and where a person works, from now on or since some
day. Reports are split by it: what happened before stays with the team of that time.
What is left out is none. Who gets a lead does not depend on it.`,
		Example: `  baton people place ana --team north --manager mia --office berlin
  baton people place ana --team south --from 2026-07-01`,
		Args: exactly("HANDLE"),
	}
	flags := c.Flags()
	team := flags.String("team", "", "team, as a word")
	manager := flags.String("manager", "", "handle of their manager")
	office := flags.String("office", "", "office, as a word")
	flags.String("from", "", "since when (default now)")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		from, err := instantFlag(cmd, "from")
		if err != nil {
			return err
		}
		return client(func(c *call) error {
			m, err := routingv1.NewRoutingServiceClient(c.conn).PlaceMember(c.ctx, &routingv1.PlaceMemberRequest{
				Member: c.args[0], Team: *team, Manager: *manager, Office: *office, From: from, IdempotencyKey: orNewKey(*key),
			})
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), m)
			}
			where := placeText(m)
			if where == "" {
				where = "in no team"
			}
			_, err = fmt.Fprintf(c.cmd.OutOrStdout(), "%s: %s\n", cell(m.GetMember()), where)
			return err
		})(cmd, args)
	}
	return c
}

// placeText says where somebody works; empty = nobody said.
func placeText(m *routingv1.Member) string {
	var parts []string
	if m.GetTeam() != "" {
		parts = append(parts, m.GetTeam())
	}
	if m.GetManager() != "" {
		parts = append(parts, "under "+m.GetManager())
	}
	if m.GetOffice() != "" {
		parts = append(parts, "in "+m.GetOffice())
	}
	return strings.Join(parts, ", ")
}
