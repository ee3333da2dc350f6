package main

import (
	"fmt"

	"github.com/spf13/cobra"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

// Who is there and when: signing in, leave, and coming back.

func peopleIn() *cobra.Command {
	return presenceCommand(&cobra.Command{
		Use:   "in [HANDLE]",
		Short: "Sign in for the day",
		Long: `Says that a person is there. Pools that agreed on signed_in give leads only to those
who are; waiting leads go to them at once. It counts until midnight by their calendar,
or until they sign out. Without a handle: who calls. For somebody else this needs the
role manager or operator.`,
		Example: `  baton people in
  baton people in ana`,
	}, true)
}

func peopleOut() *cobra.Command {
	return presenceCommand(&cobra.Command{
		Use:   "out [HANDLE]",
		Short: "Sign out for the day",
		Long: `Says that a person who signed in has gone. Pools that agreed on signed_in give them no
lead until they sign in again; what they hold stays with them. Without a handle: who
calls.`,
		Example: `  baton people out
  baton people out ana`,
	}, false)
}

func presenceCommand(c *cobra.Command, present bool) *cobra.Command {
	c.Args = between(0, "HANDLE")
	key := keyFlag(c)
	c.RunE = client(func(c *call) error {
		req := &routingv1.SetPresenceRequest{Present: present, IdempotencyKey: orNewKey(*key)}
		if len(c.args) > 0 {
			req.Member = c.args[0]
		}
		m, err := routingv1.NewRoutingServiceClient(c.conn).SetPresence(c.ctx, req)
		if err != nil {
			return err
		}
		return c.member(m)
	})
	return c
}

func peopleAway() *cobra.Command {
	c := &cobra.Command{
		Use:   "away HANDLE [--from T] [--until T]",
		Short: "Say that a person is away, now or later; leads go to the others",
		Long: `Says that a person is away. New leads go to the others until the given time, or until
they are back. Offers that are open keep their clocks. Leave from a later time stands
beside what holds now, and there may be several; without --from it begins now, in
place of what holds. For somebody else this needs the role manager or operator.

A date is its beginning in UTC, wherever the person is, and --until is the first
instant at which leads go to them again: the day on which they are back.`,
		Example: `  baton people away ana --from 2026-08-10 --until 2026-08-31 --reason holiday
  baton people away ben`,
		Args: exactly("HANDLE"),
	}
	c.Flags().String("from", "", "from when, as 2026-08-10 or 2026-08-10T09:00:00+02:00 (default now)")
	c.Flags().String("until", "", "until when, as 2026-08-31 or 2026-08-31T09:00:00+02:00 (default until they are back)")
	reason := c.Flags().String("reason", "", "why, in a word")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		from, err := instantFlag(cmd, "from")
		if err != nil {
			return err
		}
		until, err := instantFlag(cmd, "until")
		if err != nil {
			return err
		}
		if from != nil && until != nil && !until.AsTime().After(from.AsTime()) {
			return misused(cmd, "leave ends after it begins: --until must lie after --from")
		}
		return client(func(c *call) error {
			return c.availability(&routingv1.SetAvailabilityRequest{Member: c.args[0], Away: true, From: from, Until: until, Reason: *reason, IdempotencyKey: orNewKey(*key)})
		})(cmd, args)
	}
	return c
}

func peopleBack() *cobra.Command {
	c := &cobra.Command{
		Use:   "back HANDLE [--leave ID]",
		Short: "Say that a person is back, or take leave back",
		Long: `Says that a person who was away is back. Leads can go to them at once, and those that
wait do. With --leave it takes one leave back, also one that lies ahead; baton people
leaves lists their ids.`,
		Example: `  baton people back ana
  baton people back ana --leave a7c2kq4v`,
		Args: exactly("HANDLE"),
	}
	leave := c.Flags().String("leave", "", "the id of the leave that is taken back (default what holds now)")
	reason := c.Flags().String("reason", "", "why, in a word")
	key := keyFlag(c)
	c.RunE = client(func(c *call) error {
		return c.availability(&routingv1.SetAvailabilityRequest{Member: c.args[0], LeaveId: *leave, Reason: *reason, IdempotencyKey: orNewKey(*key)})
	})
	return c
}

func peopleLeaves() *cobra.Command {
	return &cobra.Command{
		Use:   "leaves [HANDLE]",
		Short: "List leave that holds or lies ahead",
		Long: `Lists who is away and who will be, from when and until when, each leave with the id
by which it can be taken back.`,
		Example: `  baton people leaves
  baton people leaves ana --format json`,
		Args: between(0, "HANDLE"),
		RunE: client(func(c *call) error {
			list, err := routingv1.NewRoutingServiceClient(c.conn).ListMembers(c.ctx, &routingv1.ListMembersRequest{})
			if err != nil {
				return err
			}
			found := &routingv1.ListMembersResponse{}
			t := table{head: []string{"HANDLE", "FROM", "UNTIL", "REASON", "LEAVE"}}
			for _, m := range list.GetMembers() {
				if len(m.GetLeaves()) == 0 || len(c.args) > 0 && c.args[0] != m.GetMember() {
					continue
				}
				found.Members = append(found.Members, m)
				for _, l := range m.GetLeaves() {
					t.add(m.GetMember(), stamp(l.GetFrom()), dash(stamp(l.GetUntil())), dash(l.GetReason()), dash(l.GetLeaveId()))
				}
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, found)
			}
			if len(found.GetMembers()) == 0 {
				_, err := fmt.Fprintln(out, "Nobody is away, and no leave lies ahead.")
				return err
			}
			return t.write(out)
		}),
	}
}
