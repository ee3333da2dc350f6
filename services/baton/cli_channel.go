package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

func channelCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "channel",
		GroupID: groupSet,
		Short:   "How people and systems are told: mail, Slack, Teams, webhooks, HubSpot, Salesforce",
		Long: `Channels are the ways on which people and systems are told what was decided. Two need
nobody to make them: console (the pages) and, where baton up is given a mail server
(BATON_SMTP_URL), email.

  baton channel add sales-room --kind slack --url-file slack.url
  baton channel add crm --kind webhook --url-file crm.url --events OfferAccepted
  baton channel add contacts --kind hubspot --token-file hubspot.token
  baton channel test crm
  baton channel list

An address of Slack, Teams or a webhook is a secret: it is sealed and never shown again.
HubSpot and Salesforce are not told but written to: each lead that was ever qualified is
one record there. docs/delivery.md says what is sent, how it is signed and when it is
tried again.`,
	}, channelList(), channelSet("add"), channelSet("change"), channelRemove(), channelTest())
}

func (c *call) delivery() deliveryv1.DeliveryServiceClient {
	return deliveryv1.NewDeliveryServiceClient(c.conn)
}

var channelKinds = map[string]deliveryv1.ChannelKind{
	"slack": deliveryv1.ChannelKind_CHANNEL_KIND_SLACK, "teams": deliveryv1.ChannelKind_CHANNEL_KIND_TEAMS, "webhook": deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK,
	"hubspot": deliveryv1.ChannelKind_CHANNEL_KIND_HUBSPOT, "salesforce": deliveryv1.ChannelKind_CHANNEL_KIND_SALESFORCE,
}

func channelKind(k deliveryv1.ChannelKind) string {
	return strings.ToLower(strings.TrimPrefix(k.String(), "CHANNEL_KIND_"))
}

func channelList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the channels and how they do",
		Long: `Lists the channels: where they lead, what waits, what arrived, what was given up, and
why the last attempt failed, if it did.`,
		Example: `  baton channel list`,
		Args:    exactly(),
		RunE: client(func(c *call) error {
			list, err := c.delivery().ListChannels(c.ctx, &deliveryv1.ListChannelsRequest{})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, list)
			}
			t := table{head: []string{"CHANNEL", "KIND", "STATE", "HOST", "HEARS", "POOLS", "WAITING", "SENT", "GIVEN UP", "LAST FAULT"}}
			for _, ch := range list.GetChannels() {
				set := ch.GetSet()
				t.add(set.GetChannel(), channelKind(set.GetKind()), channelState(set), dash(set.GetHost()), hearing(set, ",", "what people are told"),
					cmp.Or(strings.Join(set.GetPools(), ","), "all"), grouped(ch.GetWaiting()), grouped(ch.GetSent()), grouped(ch.GetGivenUp()), dash(ch.GetLastFault()))
			}
			return t.write(out)
		}),
	}
}

func channelState(set *deliveryv1.ChannelSet) string {
	switch {
	case set.GetRemoved():
		return "removed"
	case set.GetPaused():
		return "paused"
	}
	return "sends"
}

// hearing is what a channel is told of, or holds.
func hearing(set *deliveryv1.ChannelSet, between, usual string) string {
	if len(set.GetFields()) > 0 {
		return "each lead as it stands"
	}
	return cmp.Or(strings.Join(set.GetEvents(), between), usual)
}

// channelSet is the command that makes a channel, or the one that changes it.
func channelSet(name string) *cobra.Command {
	c := &cobra.Command{
		Use:   "add NAME --kind KIND",
		Short: "Make a channel known",
		Long: `Makes a channel known. Its address is read from a file, from standard input
(--url-file -) or from --url, which others on this machine can see meanwhile.

Without --events it is told what people are told of: offers, reminders, escalations and
moves. A webhook's signing secret is made here and shown this once.

HubSpot and Salesforce are written to. HubSpot needs the token of a private app;
Salesforce its own address, and client id and secret of a connected app in the token
file, written id:secret. --field says what a field there holds, once for each; without
any the usual ones are filled. The facts are email, first_name, last_name, name, phone,
company, job_title, country, stage, state, owner, source, campaign, product and lead_id.`,
		Example: `  baton channel add sales-room --kind slack --url-file slack.url
  baton channel add crm --kind webhook --url https://crm.example.com/hooks/baton --events LeadOffered,OfferAccepted
  baton channel add contacts --kind hubspot --token-file hubspot.token
  baton channel add leads --kind salesforce --url https://acme.my.salesforce.com --token-file app.secret --field Email=email --field LastName=last_name --field Company=company --field LeadSource=source
  baton channel add next-door --kind webhook --url http://10.0.0.7:9000/hook --private-network`,
		Args: exactly("NAME"),
	}
	if name == "change" {
		c.Use, c.Short = "change NAME", "Change a channel; what is left out stays"
		c.Long = `Changes a channel. What is left out stays as it was; --clear takes a limit away again.

--rotate makes a new signing secret and shows it this once. Messages are signed with it
and with the one before, until the next is made: so the other side can be changed at
leisure.`
		c.Example = `  baton channel change crm --rotate
  baton channel change crm --pause
  baton channel change crm --clear events`
	}
	f := c.Flags()
	f.SortFlags = false
	kind := ""
	if name == "add" {
		f.StringVar(&kind, "kind", "", "slack, teams, webhook, hubspot or salesforce")
	}
	title := f.String("title", "", "what people call it")
	url := f.String("url", "", "address to send to")
	urlFile := f.String("url-file", "", "file that holds the address; - = standard input")
	tokenFile := f.String("token-file", "", "file that holds the system's own token, where it wants one")
	events := f.StringSlice("events", nil, "events that it hears, such as LeadOffered,OfferAccepted")
	pools := f.StringSlice("pools", nil, "only leads of these pools")
	fields := f.StringToString("field", nil, "what a field of HubSpot or Salesforce holds, such as email=email; once for each")
	idField, object := new(string), new(string)
	if name == "add" {
		idField = f.String("id-field", "", "field there that holds the lead's id, by which its record is found again")
		object = f.String("object", "", "kind of the records in Salesforce (default Lead)")
	}
	private := f.Bool("private-network", false, "it lies in a private network, next door")
	pause, resume, rotate, undo := new(bool), new(bool), new(bool), new([]string)
	if name == "change" {
		f.BoolVar(pause, "pause", false, "send nothing for now; what comes up is kept")
		f.BoolVar(resume, "resume", false, "send again")
		f.BoolVar(rotate, "rotate", false, "make a new signing secret")
		undo = f.StringSlice("clear", nil, "what is to be as if nothing had been said of it: events, fields, pools")
	}
	idempotency := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		req := &deliveryv1.SetChannelRequest{Title: *title, Events: *events, Pools: *pools, Rotate: *rotate, Clear: *undo, Fields: *fields, IdField: *idField, Object: *object}
		switch {
		case name == "add" && kind == "":
			return misused(cmd, "say with --kind how it is spoken to: slack, teams, webhook, hubspot or salesforce")
		case name == "add" && channelKinds[kind] == 0:
			return misused(cmd, "--kind is %q; it can be slack, teams, webhook, hubspot or salesforce", kind)
		case *pause && *resume:
			return misused(cmd, "--pause and --resume do not go together")
		case *url != "" && *urlFile != "":
			return misused(cmd, "--url and --url-file do not go together")
		case *pause || *resume:
			req.Paused = pause
		}
		req.Kind = channelKinds[kind]
		if cmd.Flags().Changed("private-network") {
			req.PrivateNetwork = private
		}
		var err error
		if req.Url = *url; *urlFile != "" {
			if req.Url, err = secretIn(cmd.InOrStdin(), *urlFile); err != nil {
				return err
			}
		}
		if *tokenFile != "" {
			if req.Token, err = secretIn(cmd.InOrStdin(), *tokenFile); err != nil {
				return err
			}
		}
		return client(func(c *call) error {
			req.Channel, req.IdempotencyKey = c.args[0], orNewKey(*idempotency)
			if name == "add" {
				if err := c.isNew(req.GetChannel(), *idempotency); err != nil {
					return err
				}
			}
			got, err := c.delivery().SetChannel(c.ctx, req)
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), got)
			}
			return writeChannel(c.cmd.OutOrStdout(), got)
		})(cmd, args)
	}
	return c
}

// isNew refuses to change by mistake what stands already. A repeat under a key of the
// caller's own is for the server to answer.
func (c *call) isNew(name, key string) error {
	if key != "" {
		return nil
	}
	list, err := c.delivery().ListChannels(c.ctx, &deliveryv1.ListChannelsRequest{})
	if err != nil {
		return err
	}
	for _, ch := range list.GetChannels() {
		if ch.GetSet().GetChannel() == name && !ch.GetSet().GetRemoved() {
			return misused(c.cmd, "there is a channel %s; to change it: baton channel change %s", name, name)
		}
	}
	return nil
}

// secretIn reads a secret of one line.
func secretIn(in io.Reader, path string) (string, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, 8<<10))
	return strings.TrimSpace(string(raw)), err
}

func writeChannel(w io.Writer, got *deliveryv1.SetChannelResponse) error {
	set := got.GetChannel().GetSet()
	var f facts
	f.add("Channel", set.GetChannel())
	f.add("Title", set.GetTitle())
	f.add("Kind", channelKind(set.GetKind()))
	f.add("State", channelState(set))
	f.add("Host", set.GetHost())
	f.add("Hears", hearing(set, ", ", "what people are told of: offers, reminders, escalations, moves"))
	f.add("Object", set.GetObject())
	for _, field := range slices.Sorted(maps.Keys(set.GetFields())) {
		f.add("Field "+field, set.GetFields()[field])
	}
	if set.GetIdField() != "" {
		f.add("Field "+set.GetIdField(), "lead_id, by which the record is found again")
	}
	f.add("Pools", cmp.Or(strings.Join(set.GetPools(), ", "), "all"))
	if set.GetPrivateNetwork() {
		f.add("Network", "may be a private one")
	}
	if err := f.write(w); err != nil {
		return err
	}
	if got.GetSecret() == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "\nSigning secret, shown this once: %s\n", got.GetSecret())
	return err
}

func channelRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "End a channel; what waits for it is given up",
		Long: `Ends a channel. Its address and secrets are not kept in its last word, and what waits
for it is given up, visibly.`,
		Example: `  baton channel remove crm`,
		Args:    exactly("NAME"),
		RunE: client(func(c *call) error {
			got, err := c.delivery().RemoveChannel(c.ctx, &deliveryv1.RemoveChannelRequest{Channel: c.args[0]})
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), got)
			}
			_, err = fmt.Fprintf(c.cmd.OutOrStdout(), "Removed. %s wait and are given up.\n", counted(got.GetWaiting(), "notice", "notices"))
			return err
		}),
	}
}

func channelTest() *cobra.Command {
	return &cobra.Command{
		Use:   "test NAME",
		Short: "Send a message of no lead at once",
		Long: `Sends a message of no lead at once and says what came of it. A mail goes to whoever
asks. Salesforce is signed in to, HubSpot asked for a contact that nobody looks at:
nothing is written there. Nothing of it stands in the log.`,
		Example: `  baton channel test crm`,
		Args:    exactly("NAME"),
		RunE: client(func(c *call) error {
			got, err := c.delivery().TestChannel(c.ctx, &deliveryv1.TestChannelRequest{Channel: c.args[0]})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, got)
			}
			status := ""
			if got.GetStatus() != 0 {
				status = fmt.Sprintf(" (%d)", got.GetStatus())
			}
			_, err = fmt.Fprintln(out, got.GetText()+status)
			return err
		}),
	}
}

func noticeCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "notice",
		GroupID: groupLook,
		Short:   "The delivery log: who was told what, when, and what came of it",
		Long: `Shows what people and systems were told, with every attempt, and sends a notice again.

  baton notice list --state given-up
  baton notice list --lead ID
  baton notice redeliver NOTICE`,
	}, noticeList(), noticeRedeliver())
}

func noticeList() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List notices, newest first, with their attempts",
		Long: `Lists notices, newest first. Of one lead the list reaches back to the beginning; of all
leads it holds what waits and the last tens of thousands that ended.

States: waiting, sent (the other side took it), delivered (it said that it arrived),
opened, given-up.`,
		Example: `  baton notice list --state given-up
  baton notice list --channel crm --limit 200
  baton notice list --lead l2c4q… --format json`,
		Args: exactly(),
	}
	f := c.Flags()
	f.SortFlags = false
	id := f.String("lead", "", "only of this lead")
	channel := f.String("channel", "", "only on this channel")
	state := f.String("state", "", "only in this state: waiting, sent, delivered, opened or given-up")
	limit := f.Int("limit", 50, "at most so many; 0 = all")
	c.RunE = client(func(c *call) error {
		all := &deliveryv1.ListNoticesResponse{}
		for {
			size := mostAtOnce
			if *limit > 0 {
				size = min(size, *limit-len(all.GetNotices()))
			}
			page, err := c.delivery().ListNotices(c.ctx, &deliveryv1.ListNoticesRequest{LeadId: *id, Channel: *channel, State: *state, PageSize: int32(size), PageToken: all.GetNextPageToken()}) // #nosec G115 -- at most mostAtOnce
			if err != nil {
				return err
			}
			all.Notices = append(all.Notices, page.GetNotices()...)
			all.NextPageToken = page.GetNextPageToken()
			if all.GetNextPageToken() == "" || (*limit > 0 && len(all.GetNotices()) >= *limit) {
				break
			}
		}
		out := c.cmd.OutOrStdout()
		if c.format == formatJSON {
			return writeMessage(out, all)
		}
		if len(all.GetNotices()) == 0 {
			none := "There is no such notice; baton notice list shows all."
			if *id == "" && *channel == "" && *state == "" {
				none = "Nobody has been told of anything yet. The first notice comes with the first lead that is offered."
			}
			_, err := fmt.Fprintln(out, none)
			return err
		}
		t := table{head: []string{"NOTICE", "QUEUED", "ABOUT", "CHANNEL", "TO", "STATE", "ATTEMPTS", "LAST", "NEXT"}}
		for _, n := range all.GetNotices() {
			last := ""
			if k := len(n.GetAttempts()); k > 0 {
				a := n.GetAttempts()[k-1]
				last = cmp.Or(a.GetFault(), "taken")
				if a.GetStatus() != 0 {
					last += fmt.Sprintf(" (%d)", a.GetStatus())
				}
			}
			t.add(n.GetNoticeId(), stamp(n.GetQueuedAt()), about(n), n.GetChannel(), dash(n.GetMember()), n.GetState(), fmt.Sprint(len(n.GetAttempts())), dash(last), dash(stamp(n.GetRetryAt())))
		}
		return t.write(out)
	})
	return c
}

// about is what a notice tells of.
func about(n *deliveryv1.Notice) string {
	if n.GetKind() == leadv1.NoticeKind_NOTICE_KIND_EVENT {
		return n.GetEventType()[strings.LastIndexByte(n.GetEventType(), '.')+1:]
	}
	if n.GetKind() == leadv1.NoticeKind_NOTICE_KIND_ESCALATION {
		// The same kind reminds whoever has the lead before the time is up.
		return "clock"
	}
	word := strings.ToLower(strings.TrimPrefix(n.GetKind().String(), "NOTICE_KIND_"))
	if n.GetOffer() > 0 {
		word += fmt.Sprintf(" (offer %d)", n.GetOffer())
	}
	return word
}

func noticeRedeliver() *cobra.Command {
	c := &cobra.Command{
		Use:   "redeliver NOTICE",
		Short: "Send a notice again, whatever became of it",
		Long: `Sends a notice again, under the same id, and tries as often as if it were new. An offer
that does not stand any more is not sent: the notice says so.`,
		Example: `  baton notice redeliver l2c4q…-k3m9…`,
		Args:    exactly("NOTICE"),
	}
	key := keyFlag(c)
	c.RunE = client(func(c *call) error {
		got, err := c.delivery().Redeliver(c.ctx, &deliveryv1.RedeliverRequest{NoticeId: c.args[0], IdempotencyKey: orNewKey(*key)})
		if err != nil {
			return err
		}
		if c.format == formatJSON {
			return writeMessage(c.cmd.OutOrStdout(), got)
		}
		_, err = fmt.Fprintf(c.cmd.OutOrStdout(), "It is %s on %s.\n", got.GetState(), got.GetChannel())
		return err
	})
	return c
}

func leadReceipt() *cobra.Command {
	return &cobra.Command{
		Use:   "receipt ID",
		Short: "When it was handed over, by which way, and what the person did",
		Long: `Shows the receipt of a lead: for each offer when it was made, queued, sent, delivered,
opened and answered. Each step names its place in the log and the hash of what stands
there; as JSON with the checkpoint that covers it, so that the receipt can be held
against the log, or a bundle of it, without asking this system.`,
		Example: `  baton lead receipt l2c4q…
  baton lead receipt l2c4q… --format json > receipt.json`,
		Args: exactly("ID"),
		RunE: client(aLead(func(c *call) error {
			got, err := c.delivery().GetReceipt(c.ctx, &deliveryv1.GetReceiptRequest{LeadId: c.args[0]})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, got)
			}
			if len(got.GetOffers()) == 0 {
				_, err := fmt.Fprintln(out, "It was offered to nobody yet.")
				return err
			}
			t := table{head: []string{"OFFER", "TO", "STEP", "WHEN", "BY", "SEQUENCE", "HASH"}}
			for _, o := range got.GetOffers() {
				for _, s := range o.GetSteps() {
					t.add(fmt.Sprint(o.GetOffer()), o.GetMember(), s.GetStep(), stamp(s.GetAt()), dash(s.GetChannel()), fmt.Sprint(s.GetSequence()), fmt.Sprintf("%x", s.GetHash()[:min(8, len(s.GetHash()))]))
				}
			}
			if err := t.write(out); err != nil {
				return err
			}
			if got.GetCheckpoint() == "" {
				_, err = fmt.Fprintf(out, "\nNo checkpoint covers sequence %d yet; one is made every few seconds.\n", got.GetAsOfSequence())
			} else {
				_, err = fmt.Fprintf(out, "\nUp to sequence %d, covered by a signed checkpoint (see --format json).\n", got.GetAsOfSequence())
			}
			return err
		})),
	}
}
