package main

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/lead"
)

const handleHelp = "A handle is how the agreement's pools spell a person, such as ana or j.smith."

func peopleCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "people",
		GroupID: groupSet,
		Short:   "The people who get leads: who they are, and who is away",
		Long: `The people of the company. A person gets leads once they are known here and stand in
a pool of the agreement.

` + handleHelp + `

  baton people add ana --role sales,qualifier   answers ana's token, once
  baton people list
  baton people in ana                           signed in for the day; people out: gone
  baton people away ana --until 2026-08-31      leads go to the others
  baton people back ana
  baton people leaves                           who will be away, and from when to when
  baton people place ana --team north           where she works, for reports by team
  baton people why-not ana                      why leads did not go to her
  baton people token ana                        another token, when ana lost hers`,
	}, peopleList(), peopleAdd(), peopleToken(), peopleIn(), peopleOut(), peopleAway(), peopleBack(), peopleLeaves(), peopleDeactivate(), peoplePlace(), peopleWhyNot(), peopleAdjust())
}

// keyFlag lets whoever repeats a command say that it is the same one.
func keyFlag(c *cobra.Command) *string {
	return c.Flags().String("idempotency-key", "", "names this request, so that repeating it is harmless (default a new one)")
}

// orNewKey is the given key, or one that nobody used before.
func orNewKey(given string) string {
	if given != "" {
		return given
	}
	return rand.Text()
}

func peopleList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the people with their loads",
		Long: `Lists everybody with their roles, whether leads can go to them now, how many open
leads they hold and may hold, and how many turns they had in each pool. Whoever is in
several pools may hold what the widest of them allows. Managers and others who are in no
pool have no hours of their own; a clock tells them in those of the pool they watch.`,
		Example: `  baton people list
  baton people list --format json`,
		Args: exactly(),
		RunE: client(func(c *call) error {
			list, err := routingv1.NewRoutingServiceClient(c.conn).ListMembers(c.ctx, &routingv1.ListMembersRequest{})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, list)
			}
			if len(list.GetMembers()) == 0 {
				_, err := fmt.Fprintln(out, "Nobody is known yet; begin with baton people add ana --role sales.")
				return err
			}
			// Teams are shown where anybody is in one.
			placed := slices.ContainsFunc(list.GetMembers(), func(m *routingv1.Member) bool { return placeText(m) != "" })
			t := table{head: []string{"HANDLE", "NAME", "ROLES", "NOW", "OPEN LEADS", "TURNS"}}
			if placed {
				t.head = slices.Insert(t.head, 3, "TEAM")
			}
			for _, m := range list.GetMembers() {
				row := []string{m.GetMember(), dash(m.GetName()), strings.Join(m.GetRoles(), ", "), presence(m), loadText(m), dash(turnsText(m.GetTurns()))}
				if placed {
					row = slices.Insert(row, 3, dash(placeText(m)))
				}
				t.add(row...)
			}
			return t.write(out)
		}),
	}
}

// presence says in words whether leads can go to somebody.
func presence(m *routingv1.Member) string {
	switch {
	case m.GetDeactivated():
		return "deactivated"
	case m.GetAway() && m.GetAwayUntil() != nil:
		return "away until " + stamp(m.GetAwayUntil())
	case m.GetAway():
		return "away"
	case m.GetOnDuty() && m.GetPresent():
		return "on duty, signed in"
	case m.GetOnDuty():
		return "on duty"
	case m.GetPresent():
		return "off duty, signed in"
	case len(m.GetTurns()) == 0:
		return "in no pool"
	}
	return "off duty"
}

func loadText(m *routingv1.Member) string {
	load := strconv.FormatInt(m.GetLoad(), 10)
	if m.GetCapacity() == 0 {
		return load
	}
	return load + " of " + strconv.FormatInt(m.GetCapacity(), 10)
}

func turnsText(turns map[string]int64) string {
	var parts []string
	for _, pool := range slices.Sorted(maps.Keys(turns)) {
		parts = append(parts, pool+" "+strconv.FormatInt(turns[pool], 10))
	}
	return strings.Join(parts, ", ")
}

func peopleAdd() *cobra.Command {
	c := &cobra.Command{
		Use:   "add HANDLE --role ROLE[,ROLE…]",
		Short: "Make a person known; answers their token, once",
		Long: `Makes a person known and prints the token with which they sign in to the pages and
use the commands. The token is not kept: baton people token gives another to whoever
loses it.
` + handleHelp + `

Roles: ` + strings.Join(access.Roles(), ", ") + `.
Sales get leads; a qualifier's calls decide between SAL and SQL.`,
		Example: `  baton people add ana --role sales,qualifier --name "Ana Lima" --email ana@example.com
  baton people add mia --role marketing`,
		Args: exactly("HANDLE"),
	}
	flags := c.Flags()
	roles := flags.StringSlice("role", nil, "roles, separated by commas")
	name := flags.String("name", "", "name; kept sealed")
	email := flags.String("email", "", "e-mail address; kept sealed")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(*roles) == 0 {
			return misused(cmd, "say with --role what the person does: %s", strings.Join(access.Roles(), ", "))
		}
		for _, role := range *roles {
			if !access.IsRole(role) {
				return misused(cmd, "there is no role %q; the roles are %s", role, strings.Join(access.Roles(), ", "))
			}
		}
		return client(func(c *call) error {
			added, err := routingv1.NewRoutingServiceClient(c.conn).AddMember(c.ctx, &routingv1.AddMemberRequest{Member: c.args[0], Roles: *roles, Name: *name, Email: *email, IdempotencyKey: orNewKey(*key)})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, added)
			}
			_, err = fmt.Fprintf(out, `%s is known now, as %s.

Their token, shown this once:
  %s
`, cell(added.GetMember().GetMember()), strings.Join(added.GetMember().GetRoles(), ", "), cell(added.GetToken()))
			return err
		})(cmd, args)
	}
	return c
}

func peopleToken() *cobra.Command {
	c := &cobra.Command{
		Use:   "token HANDLE",
		Short: "Give a person another token in place of a lost one",
		Long: `Prints another token for a person, and ends the one they had at once, with whatever is
signed in by it. Their leads, roles and turns stay as they are.`,
		Example: `  baton people token ana`,
		Args:    exactly("HANDLE"),
	}
	key := keyFlag(c)
	c.RunE = client(func(c *call) error {
		renewed, err := routingv1.NewRoutingServiceClient(c.conn).RenewToken(c.ctx, &routingv1.RenewTokenRequest{Member: c.args[0], IdempotencyKey: orNewKey(*key)})
		if err != nil {
			return err
		}
		out := c.cmd.OutOrStdout()
		if c.format == formatJSON {
			return writeMessage(out, renewed)
		}
		_, err = fmt.Fprintf(out, `%s has another token; the one before has ended.

Their token, shown this once:
  %s
`, cell(renewed.GetMember().GetMember()), cell(renewed.GetToken()))
		return err
	})
	return c
}

func (c *call) availability(req *routingv1.SetAvailabilityRequest) error {
	m, err := routingv1.NewRoutingServiceClient(c.conn).SetAvailability(c.ctx, req)
	if err != nil {
		return err
	}
	return c.member(m)
}

func (c *call) member(m *routingv1.Member) error {
	if c.format == formatJSON {
		return writeMessage(c.cmd.OutOrStdout(), m)
	}
	_, err := fmt.Fprintf(c.cmd.OutOrStdout(), "%s: %s, %s\n", cell(m.GetMember()), presence(m), counted(m.GetLoad(), "open lead", "open leads"))
	return err
}

func peopleDeactivate() *cobra.Command {
	c := &cobra.Command{
		Use:   "deactivate HANDLE --reason TEXT",
		Short: "Take a person out of every pool for good",
		Long: `Takes a person out of every pool at once, and their token with them. Their open leads,
offered and accepted, are given to others by the same rules, as one move with the
reason "left". What they did stays in the log.`,
		Example: `  baton people deactivate dan --reason "left the company"`,
		Args:    exactly("HANDLE"),
	}
	reason := c.Flags().String("reason", "", "why")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(*reason) == "" {
			return misused(cmd, "say with --reason why")
		}
		return client(func(c *call) error {
			m, err := routingv1.NewRoutingServiceClient(c.conn).DeactivateMember(c.ctx, &routingv1.DeactivateMemberRequest{Member: c.args[0], Reason: *reason, IdempotencyKey: orNewKey(*key)})
			if err != nil {
				return err
			}
			return c.member(m)
		})(cmd, args)
	}
	return c
}

func queueCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "queue",
		GroupID: groupWork,
		Short:   "Leads that wait, each with the rule that blocks it",
		Long: `Lists every lead that is with nobody, oldest first, each with the rule that blocks it,
when it is looked at again, and when the agreed stand-in gets it. A lead that you may
take yourself is marked: baton lead claim takes it.

No lead leaves this list but by being given to somebody, sent back or closed.`,
		Example: `  baton queue
  baton queue --pool inside-sales
  baton queue --long`,
		Args: oneOfTheCommands,
	}
	flags := c.PersistentFlags()
	pool := flags.String("pool", "", "only this pool")
	long := flags.Bool("long", false, "with the whole sentence that the decision recorded")
	c.RunE = client(func(c *call) error { return c.queue(*pool, *long) })
	list := &cobra.Command{Use: "list", Short: "The same list", Long: c.Long, Example: "  baton queue list --pool inside-sales", Args: exactly(), RunE: c.RunE}
	c.AddCommand(list)
	return c
}

func (c *call) queue(pool string, long bool) error {
	service := routingv1.NewRoutingServiceClient(c.conn)
	all := &routingv1.ListQueueResponse{}
	for token := ""; ; {
		page, err := service.ListQueue(c.ctx, &routingv1.ListQueueRequest{Pool: pool, PageSize: 500, PageToken: token})
		if err != nil {
			return err
		}
		all.Leads = append(all.Leads, page.GetLeads()...)
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, all)
	}
	if len(all.GetLeads()) == 0 {
		_, err := fmt.Fprintln(out, "No lead waits.")
		return err
	}
	t := table{head: []string{"LEAD", "POOL", "WAITS FOR", "SINCE", "LOOKED AT AGAIN", "STAND-IN FROM"}}
	if long {
		t.head, t.most = append(t.head, "WHY"), 60
	}
	for _, l := range all.GetLeads() {
		waits := lead.WaitsFor(l.GetBlockedBy())
		if l.GetClaimable() {
			waits = "you or others to claim it"
		}
		row := []string{l.GetLeadId(), dash(l.GetPool()), waits, stamp(l.GetSince()), dash(stamp(l.GetLookAgainAt())), dash(stamp(l.GetFallbackAt()))}
		if long {
			row = append(row, dash(l.GetText()))
		}
		t.add(row...)
	}
	return t.write(out)
}
