package delivery

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/outbound"
	"github.com/leadbaton/baton/services/lead"
)

// Channels that need nobody to make them known.
const (
	ChannelConsole = "console"
	ChannelEmail   = "email"
)

// Server answers baton.delivery.v1.DeliveryService.
type Server struct {
	deliveryv1.UnimplementedDeliveryServiceServer
	Log     *ledger.Ledger
	Book    *Book
	Keys    Keys
	Make    *Maker
	Senders map[deliveryv1.ChannelKind]Sender
	// Customers are written to.
	Customers *Customers
}

// Declare makes the channels known that every house has: the pages, and mail where there
// is a mail server. What stands is left alone: somebody may have changed it.
func Declare(ctx context.Context, l *ledger.Ledger, b *Book, mail bool) error {
	_, err := l.Write(ctx, Name, func(*ledger.View) ([]ledger.Draft, error) {
		var drafts []ledger.Draft
		for _, set := range []*deliveryv1.ChannelSet{
			{Channel: ChannelConsole, Kind: deliveryv1.ChannelKind_CHANNEL_KIND_CONSOLE, Title: "Pages"},
			{Channel: ChannelEmail, Kind: deliveryv1.ChannelKind_CHANNEL_KIND_EMAIL, Title: "E-mail"},
		} {
			if b.channels[set.GetChannel()] == nil && (mail || set.GetChannel() != ChannelEmail) {
				drafts = append(drafts, ledger.Draft{Subject: SubjectChannel + set.GetChannel(), Body: set, Cause: "channel:" + set.GetChannel()})
			}
		}
		return drafts, nil
	})
	return err
}

// kindWord is a kind of channel in one word.
func kindWord(k deliveryv1.ChannelKind) string {
	return strings.ToLower(strings.TrimPrefix(k.String(), "CHANNEL_KIND_"))
}

// SetChannel makes a channel known or changes it.
func (s *Server) SetChannel(ctx context.Context, req *deliveryv1.SetChannelRequest) (*deliveryv1.SetChannelResponse, error) {
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	actor, _ := access.From(ctx)
	once := cmp.Or(req.GetIdempotencyKey(), rand.Text())
	cause := lead.CommandPrefix + "channel:" + lead.ID("", s.Keys.MAC("command", []byte("channel"), []byte(req.GetChannel()), []byte(actor.Handle), []byte(once)))
	before, done := s.standing(req.GetChannel(), cause)
	secrets := &deliveryv1.ChannelSecrets{}
	if before != nil {
		var err error
		if secrets, err = openSecrets(ctx, s.Keys, before); err != nil {
			return nil, err
		}
	}
	if done != nil {
		// A repeat is answered as the first was.
		made, err := openSecrets(ctx, s.Keys, done)
		if err != nil {
			return nil, err
		}
		return &deliveryv1.SetChannelResponse{Channel: s.shown(req.GetChannel()), Secret: s.madeFor(req.GetChannel(), actor.Handle, once, made)}, nil
	}
	set, err := changed(before, req)
	if err != nil {
		return nil, err
	}
	address := req.GetUrl()
	if set.GetKind() == deliveryv1.ChannelKind_CHANNEL_KIND_HUBSPOT && secrets.GetUrl() == "" {
		address = cmp.Or(address, hubSpotURL)
	}
	if address != "" {
		if set.Host, err = hostOf(set.GetKind(), address, set.GetPrivateNetwork()); err != nil {
			return nil, err
		}
		secrets.Url = address
	} else if set.GetHost() != "" {
		if _, err := hostOf(set.GetKind(), secrets.GetUrl(), set.GetPrivateNetwork()); err != nil {
			return nil, err
		}
	}
	secrets.Token = cmp.Or(req.GetToken(), secrets.GetToken())
	made := ""
	if set.GetKind() == deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK && (req.GetRotate() || len(secrets.GetSigning()) == 0) {
		made = s.secret(req.GetChannel(), actor.Handle, once)
		secrets.Signing = append([]string{made}, secrets.GetSigning()...)
		secrets.Signing = secrets.Signing[:min(2, len(secrets.Signing))]
	} else if req.GetRotate() {
		return nil, fault.New(fault.Invalid, "a channel of the kind %s signs nothing, so it has no secret to rotate", kindWord(set.GetKind()))
	}
	if needsAddress(set.GetKind()) && secrets.GetUrl() == "" {
		return nil, fault.New(fault.Invalid, "url: a channel of the kind %s needs the address to send to", kindWord(set.GetKind()))
	}
	if customer(set.GetKind()) {
		if err := enters(set.GetKind(), secrets.GetToken()); err != nil {
			return nil, err
		}
	}
	if secrets.GetUrl() != "" || secrets.GetToken() != "" {
		if set.Secrets, err = s.seal(ctx, set.GetChannel(), secrets); err != nil {
			return nil, err
		}
	}
	_, err = s.Log.Write(ctx, Name, func(*ledger.View) ([]ledger.Draft, error) {
		if now := s.Book.channels[req.GetChannel()]; now != nil && !proto.Equal(now.Set, before) || now == nil && before != nil {
			return nil, fault.New(fault.Conflict, "somebody else changed channel %s at the same time: look at it and try again", req.GetChannel())
		}
		return []ledger.Draft{{Subject: SubjectChannel + set.GetChannel(), Body: set, Cause: cause, Correlation: set.GetChannel(), Actor: actor.Handle}}, nil
	})
	if err != nil {
		return nil, err
	}
	return &deliveryv1.SetChannelResponse{Channel: s.shown(req.GetChannel()), Secret: made}, nil
}

// standing answers a channel as it stands, and as a command left it that was carried out
// before; nil = there is none.
func (s *Server) standing(id, cause string) (set, done *deliveryv1.ChannelSet) {
	s.Log.Follower().View(func(*ledger.View) {
		c := s.Book.channels[id]
		if c == nil {
			return
		}
		set = c.Set
		if i := slices.IndexFunc(c.commands, func(one command) bool { return one.cause == cause }); i >= 0 {
			done = c.commands[i].set
		}
	})
	return set, done
}

// secret follows from the call and our own key: a repeat has the same, and what was
// shown is kept nowhere in the clear.
func (s *Server) secret(channel, actor, once string) string {
	return signingPrefix + base64.StdEncoding.EncodeToString(s.Keys.MAC("channel secret", []byte(channel), []byte(actor), []byte(once)))
}

// madeFor answers the secret that a command made; empty = it made none.
func (s *Server) madeFor(channel, actor, once string, secrets *deliveryv1.ChannelSecrets) string {
	if made := s.secret(channel, actor, once); slices.Contains(secrets.GetSigning(), made) {
		return made
	}
	return ""
}

func (s *Server) seal(ctx context.Context, channel string, secrets *deliveryv1.ChannelSecrets) (*leadv1.Sealed, error) {
	plain, err := proto.Marshal(secrets)
	if err != nil {
		return nil, err
	}
	return s.Keys.Seal(ctx, "channel-"+lead.ID("", s.Keys.MAC("channel", []byte(channel))), plain, []byte(SubjectChannel+channel))
}

// changed is a channel as a request wants it; what is left out stays.
func changed(before *deliveryv1.ChannelSet, req *deliveryv1.SetChannelRequest) (*deliveryv1.ChannelSet, error) {
	set := &deliveryv1.ChannelSet{Channel: req.GetChannel(), Kind: req.GetKind()}
	if before != nil {
		set = proto.CloneOf(before)
		set.Removed = false
		if req.GetKind() != 0 && req.GetKind() != set.GetKind() {
			return nil, fault.New(fault.Invalid, "kind: channel %s is of the kind %s, which cannot change; take another name", req.GetChannel(), kindWord(set.GetKind()))
		}
	}
	switch set.GetKind() {
	case deliveryv1.ChannelKind_CHANNEL_KIND_UNSPECIFIED:
		return nil, fault.New(fault.NotFound, "there is no channel %s; to make one say of which kind it is", req.GetChannel())
	case deliveryv1.ChannelKind_CHANNEL_KIND_CONSOLE, deliveryv1.ChannelKind_CHANNEL_KIND_EMAIL:
		if own := kindWord(set.GetKind()); req.GetChannel() != own {
			return nil, fault.New(fault.Invalid, "channel: there is one of the kind %s, and it is called %s", own, own)
		}
		if req.GetUrl() != "" || req.GetToken() != "" {
			return nil, fault.New(fault.Invalid, "url: a channel of the kind %s has no address of its own", kindWord(set.GetKind()))
		}
	}
	if slices.Contains(req.GetClear(), "pools") {
		set.Pools = nil
	}
	if slices.Contains(req.GetClear(), "events") {
		set.Events = nil
	}
	if slices.Contains(req.GetClear(), "fields") {
		set.Fields = nil
	}
	if err := asCustomer(set, req); err != nil {
		return nil, err
	}
	set.Title = cmp.Or(req.GetTitle(), set.GetTitle(), set.GetChannel())
	if len(req.GetPools()) > 0 {
		set.Pools = req.GetPools()
	}
	if len(req.GetEvents()) > 0 {
		for _, name := range req.GetEvents() {
			if !slices.Contains(hearable, name) {
				return nil, fault.New(fault.Invalid, "events: %q is none that a channel can hear; there are %s", name, strings.Join(hearable, ", "))
			}
		}
		set.Events = req.GetEvents()
	}
	if req.GetPaused() && set.GetKind() == deliveryv1.ChannelKind_CHANNEL_KIND_CONSOLE {
		return nil, fault.New(fault.Invalid, "paused: the pages send nothing, so there is nothing to pause")
	}
	if req.Paused != nil {
		set.Paused = req.GetPaused()
	}
	if req.PrivateNetwork != nil {
		set.PrivateNetwork = req.GetPrivateNetwork()
	}
	return set, nil
}

func needsAddress(kind deliveryv1.ChannelKind) bool {
	return chat(kind) || customer(kind) || kind == deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK
}

// hostOf answers the host of an address that a channel may have.
func hostOf(kind deliveryv1.ChannelKind, address string, private bool) (string, error) {
	at, err := url.Parse(address)
	if err != nil || at.Hostname() == "" || at.User != nil || at.Fragment != "" {
		return "", fault.New(fault.Invalid, "url: that is no address like https://host/path")
	}
	if at.Scheme != "https" && !(private && at.Scheme == "http") {
		return "", fault.New(fault.Invalid, "url: the address must begin with https://; http:// is for a system in a private network alone; if it stands there, say so (--private-network)")
	}
	if ip, err := netip.ParseAddr(at.Hostname()); err == nil && !outbound.Public(ip) && !(private && outbound.Nearby(ip)) {
		return "", fault.New(fault.Invalid, "url: this address is of a private network; if the system stands next door, say so (--private-network); what tells machines their own secrets is never called")
	}
	return at.Hostname(), nil
}

// RemoveChannel ends a channel for good.
func (s *Server) RemoveChannel(ctx context.Context, req *deliveryv1.RemoveChannelRequest) (*deliveryv1.Channel, error) {
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	actor, _ := access.From(ctx)
	_, err := s.Log.Write(ctx, Name, func(*ledger.View) ([]ledger.Draft, error) {
		c := s.Book.channels[req.GetChannel()]
		switch {
		case c == nil:
			return nil, fault.New(fault.NotFound, "there is no channel %s", req.GetChannel())
		case c.Set.GetKind() == deliveryv1.ChannelKind_CHANNEL_KIND_CONSOLE:
			return nil, fault.New(fault.State, "the pages are always there")
		case c.Set.GetRemoved():
			return nil, nil
		}
		set := proto.CloneOf(c.Set)
		set.Removed, set.Secrets = true, nil
		return []ledger.Draft{{Subject: SubjectChannel + set.GetChannel(), Body: set, Cause: lead.CommandPrefix + "remove-channel:" + rand.Text(), Correlation: set.GetChannel(), Actor: actor.Handle}}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.shown(req.GetChannel()), nil
}

// TestChannel sends a message of no lead at once and says what came of it; a customer
// system is asked whether it lets us in.
func (s *Server) TestChannel(ctx context.Context, req *deliveryv1.TestChannelRequest) (*deliveryv1.TestChannelResponse, error) {
	actor, _ := access.From(ctx)
	set, secrets, err := s.Make.channel(ctx, req.GetChannel())
	if err != nil {
		return nil, err
	}
	if set.GetRemoved() {
		return nil, fault.New(fault.NotFound, "there is no channel %s", req.GetChannel())
	}
	if customer(set.GetKind()) {
		return s.tryCustomer(ctx, set, secrets)
	}
	now := s.Log.Clock().Now()
	m := &Message{
		ID: "test-" + strings.ToLower(rand.Text()), At: now, Subject: "Baton tries this channel", Intro: "Nothing happened: somebody wants to know whether messages arrive here.",
		Event: Event{Type: "channel.tested", Timestamp: now},
	}
	sender := s.Senders[set.GetKind()]
	if sender == nil {
		return nil, fault.New(fault.State, "this process has nobody who speaks to channels of the kind %s", kindWord(set.GetKind()))
	}
	if set.GetKind() == deliveryv1.ChannelKind_CHANNEL_KIND_EMAIL {
		if m.To, err = s.Make.Who(ctx, actor.Handle); err != nil {
			return nil, err
		}
		if m.To.Email == "" {
			return nil, fault.New(fault.State, "the trial goes to you, and no e-mail address of yours is known: try it with the token of a member who has one")
		}
	}
	o, err := sender.Send(ctx, set, secrets, m)
	if err != nil {
		return nil, err
	}
	text := "It was taken."
	if o.fault != "" {
		text = faultText(o.fault)
	}
	return &deliveryv1.TestChannelResponse{Status: o.status, Fault: o.fault, Text: text}, nil
}

// tryCustomer asks a customer system whether it lets us in, by a sign-in of its own.
func (s *Server) tryCustomer(ctx context.Context, set *deliveryv1.ChannelSet, secrets *deliveryv1.ChannelSecrets) (*deliveryv1.TestChannelResponse, error) {
	crm, o := s.Customers.fresh(set, secrets)
	if o.fault == "" {
		err := crm.Try(ctx)
		var failed *failedCall
		if err != nil && !errors.As(err, &failed) {
			return nil, err
		}
		if failed != nil {
			o = failed.outcome
		}
	}
	text := "It lets us in; nothing was written."
	if o.fault != "" {
		text = faultText(o.fault)
	}
	return &deliveryv1.TestChannelResponse{Status: o.status, Fault: o.fault, Text: text}, nil
}

// faultTexts are the faults in plain words.
var faultTexts = map[string]string{
	faultTimeout:     "The other side did not answer in time.",
	faultUnreachable: "The other side cannot be reached.",
	faultRefused:     "The mail server does not take it.",
	faultStatus:      "The other side answered, but not with a 2xx.",
	faultRedirect:    "The other side sends elsewhere, and no redirect is followed: name the address itself.",
	faultPrivate:     "The address belongs to a private network, which is not called.",
	faultTLS:         "There is no TLS to trust: no certificate for this name, or none at all.",
	faultNoAddress:   "No address is known to send it to.",
	faultNoServer:    "No mail server is set (BATON_SMTP_URL).",
	faultGone:        "The channel, the person or the address is gone.",
	faultSuperseded:  "The offer did not stand any more, so nothing was sent.",
	faultUnreadable:  "What to tell, or the channel's secrets, cannot be opened.",
}

// faultText says a fault in plain words.
func faultText(word string) string { return cmp.Or(faultTexts[word], word) }

// Redeliver sends a notice again, whatever became of it.
func (s *Server) Redeliver(ctx context.Context, req *deliveryv1.RedeliverRequest) (*deliveryv1.Notice, error) {
	actor, _ := access.From(ctx)
	id := req.GetNoticeId()
	once := cmp.Or(req.GetIdempotencyKey(), rand.Text())
	cause := lead.CommandPrefix + "redeliver:" + lead.ID("", s.Keys.MAC("command", []byte("redeliver"), []byte(id), []byte(actor.Handle), []byte(once)))
	for {
		events, n, err := s.find(ctx, id)
		if err != nil {
			return nil, err
		}
		if n.queued == nil {
			return nil, fault.New(fault.NotFound, "there is no notice %s", id)
		}
		if slices.ContainsFunc(events, func(e *ledger.Event) bool { return e.Cause == cause }) {
			return n.shown(), nil
		}
		moved := false
		_, err = s.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
			c := s.Book.channels[n.queued.GetChannel()]
			switch moved = v.Place(lead.SubjectOf(leadOf(id))).Seq != events[len(events)-1].Seq; {
			case moved:
				return nil, nil
			case c == nil || c.Set.GetRemoved():
				return nil, fault.New(fault.State, "channel %s is gone", n.queued.GetChannel())
			case c.Set.GetKind() == deliveryv1.ChannelKind_CHANNEL_KIND_CONSOLE:
				return nil, fault.New(fault.State, "it stands on the page of its lead; there is nothing to send")
			case s.Book.waiting[id] != nil:
				return nil, fault.New(fault.State, "it waits for its next attempt already")
			case s.Book.records[recordKey{leadOf(id), n.queued.GetChannel()}] != nil:
				return nil, fault.New(fault.State, "the lead is about to be written to %s as it stands: a later notice says so", n.queued.GetChannel())
			}
			return []ledger.Draft{{
				Subject: lead.SubjectOf(leadOf(id)), Cause: cause, Correlation: leadOf(id), Actor: actor.Handle,
				Body: &leadv1.NoticeRequested{
					NoticeId: id, Attempts: n.attempts(), Kind: n.queued.GetKind(), Channel: n.queued.GetChannel(), Member: n.queued.GetMember(),
					Offer: n.queued.GetOffer(), EventId: n.queued.GetEventId(), EventType: n.queued.GetEventType(),
				},
			}}, nil
		})
		if err != nil {
			return nil, err
		}
		if !moved {
			_, n, err = s.find(ctx, id)
			return n.shown(), err
		}
	}
}

// RecordOpened says that whoever calls looked at the lead that is offered to them.
func (s *Server) RecordOpened(ctx context.Context, req *deliveryv1.RecordOpenedRequest) (*deliveryv1.RecordOpenedResponse, error) {
	actor, _ := access.From(ctx)
	out := &deliveryv1.RecordOpenedResponse{}
	id := ""
	s.Log.Follower().View(func(*ledger.View) {
		if n := s.Book.unopened[req.GetLeadId()]; n != nil && n.Member == actor.Handle {
			id = n.ID
		}
	})
	if id == "" {
		return out, nil
	}
	_, err := s.Log.Write(ctx, Name, func(*ledger.View) ([]ledger.Draft, error) {
		if n := s.Book.unopened[req.GetLeadId()]; n == nil || n.ID != id {
			return nil, nil
		}
		return []ledger.Draft{openedDraft(req.GetLeadId(), id, "console", actor.Handle)}, nil
	})
	return out, err
}

func openedDraft(leadID, id, by, member string) ledger.Draft {
	return ledger.Draft{Subject: lead.SubjectOf(leadID), Body: &leadv1.NoticeOpened{NoticeId: id, By: by}, Cause: id + ":opened", Correlation: leadID, Actor: member}
}

// recordOpened says once that a notice was opened, whoever else says it at the same time.
func recordOpened(ctx context.Context, l *ledger.Ledger, leadID, id, by, member string) error {
	for {
		events, err := l.History(ctx, lead.SubjectOf(leadID))
		if err != nil || len(events) == 0 {
			return err
		}
		if slices.ContainsFunc(events, func(e *ledger.Event) bool {
			b, ok := e.Body.(*leadv1.NoticeOpened)
			return ok && b.GetNoticeId() == id
		}) {
			return nil
		}
		moved := false
		_, err = l.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
			if moved = v.Place(lead.SubjectOf(leadID)).Seq != events[len(events)-1].Seq; moved {
				return nil, nil
			}
			return []ledger.Draft{openedDraft(leadID, id, by, member)}, nil
		})
		if err != nil || !moved {
			return err
		}
	}
}
