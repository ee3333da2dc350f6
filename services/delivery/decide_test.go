package delivery

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// book folds events of one lead, written down shortly.
type told struct {
	*Book
	seq uint64
}

func newTold(sets ...*deliveryv1.ChannelSet) *told {
	b := &told{Book: NewBook()}
	for _, set := range sets {
		b.Apply(&ledger.Event{Subject: SubjectChannel + set.GetChannel(), Type: ledger.TypeOf(set), Body: set, Recorded: monday})
	}
	return b
}

func (b *told) happens(e *ledger.Event) *ledger.Event {
	b.seq++
	e.Seq, e.Type = b.seq, ledger.TypeOf(e.Body)
	if e.Subject == "" {
		e.Subject = "lead.l1"
	}
	if e.ID == "" {
		e.ID = strings.Repeat("e", int(b.seq))
	}
	if e.Recorded.IsZero() {
		e.Recorded = monday
	}
	b.Apply(e)
	return e
}

// called are the notices that are called for: "channel>member kind".
func (b *told) calledFor() (out []string) {
	for _, id := range b.called(100) {
		for _, n := range b.calls[id] {
			out = append(out, n.Channel+">"+n.Member+" "+strings.ToLower(strings.TrimPrefix(n.Kind.String(), "NOTICE_KIND_")))
		}
	}
	return out
}

func channel(id string, kind deliveryv1.ChannelKind, change func(*deliveryv1.ChannelSet)) *deliveryv1.ChannelSet {
	set := &deliveryv1.ChannelSet{Channel: id, Kind: kind}
	if change != nil {
		change(set)
	}
	return set
}

var everyChannel = []*deliveryv1.ChannelSet{
	channel("console", deliveryv1.ChannelKind_CHANNEL_KIND_CONSOLE, nil),
	channel("email", deliveryv1.ChannelKind_CHANNEL_KIND_EMAIL, nil),
	channel("room", deliveryv1.ChannelKind_CHANNEL_KIND_SLACK, nil),
	channel("crm", deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK, nil),
	channel("all", deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK, func(s *deliveryv1.ChannelSet) {
		s.Events = []string{"OfferAccepted", "LeadReceived", "NoticeSent"}
	}),
	channel("north", deliveryv1.ChannelKind_CHANNEL_KIND_TEAMS, func(s *deliveryv1.ChannelSet) { s.Pools = []string{"north"} }),
	channel("hub", deliveryv1.ChannelKind_CHANNEL_KIND_HUBSPOT, nil),
	channel("gone", deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK, func(s *deliveryv1.ChannelSet) { s.Removed = true }),
}

func offer(member, pool string, n int32) *leadv1.LeadOffered {
	return &leadv1.LeadOffered{Member: member, Pool: pool, Offer: n, TakeBy: timestamppb.New(monday.Add(time.Hour))}
}

// What each event calls for, and on which channels.
func TestWhatIsCalledFor(t *testing.T) {
	for name, tt := range map[string]struct {
		events []*ledger.Event
		want   []string
	}{
		"an offer":                  {[]*ledger.Event{{Body: offer("ana", "south", 1)}}, []string{"console>ana offer", "crm> event", "email>ana offer", "room>ana offer"}},
		"an offer of a pool":        {[]*ledger.Event{{Body: offer("ana", "north", 1)}}, []string{"console>ana offer", "crm> event", "email>ana offer", "north>ana offer", "room>ana offer"}},
		"what a channel asks for":   {[]*ledger.Event{{Body: &leadv1.OfferAccepted{Member: "ana", Offer: 1}}}, []string{"all> event"}},
		"history is nobody's news":  {[]*ledger.Event{{Body: &leadv1.LeadReceived{Historical: true}}}, nil},
		"nor are its owners":        {[]*ledger.Event{{Body: &leadv1.LeadReassigned{To: "ana", Reason: lead.ReasonImported}}}, nil},
		"what came just now is":     {[]*ledger.Event{{Body: &leadv1.LeadReceived{}}}, []string{"all> event"}},
		"telling calls for nothing": {[]*ledger.Event{{Body: &leadv1.NoticeSent{NoticeId: "x", Attempt: 1}}}, nil},
		"an escalation to two":      {[]*ledger.Event{{Body: &leadv1.ClockEscalated{Tell: []string{"mia", "max", "mia"}}}}, []string{"console>mia escalation", "console>max escalation", "crm> event", "email>mia escalation", "email>max escalation", "room> escalation"}},
		"a move tells who had it":   {[]*ledger.Event{{Body: &leadv1.LeadReassigned{From: "ana", To: "ben"}}}, []string{"console>ana moved", "crm> event", "email>ana moved", "room> moved"}},
		// Whoever gets it is told by the offer, once: also where a move is taken back.
		"a move back of an offer": {
			[]*ledger.Event{{Body: &leadv1.LeadReassigned{From: "ben", To: "ana", BatchId: "b2", Undoes: "b1"}}, {Body: offer("ana", "south", 2)}},
			[]string{"console>ben moved", "crm> event", "email>ben moved", "room> moved", "console>ana offer", "crm> event", "email>ana offer", "room>ana offer"},
		},
		"a move back of what was theirs": {
			[]*ledger.Event{{Body: &leadv1.LeadReassigned{From: "ben", To: "ana", BatchId: "b2", Undoes: "b1", Accepted: true}}},
			[]string{"console>ben moved", "console>ana moved", "crm> event", "email>ben moved", "email>ana moved", "room> moved"},
		},
		"a move to whoever":         {[]*ledger.Event{{Body: &leadv1.LeadReassigned{From: "ana"}}}, []string{"console>ana moved", "crm> event", "email>ana moved", "room>ana moved"}},
		"another subject's event":   {[]*ledger.Event{{Subject: "pool.sales", Body: offer("ana", "south", 1)}}, nil},
		"what nobody asked to hear": {[]*ledger.Event{{Body: &leadv1.PersonAttached{}}, {Body: &leadv1.OfferTimedOut{}}}, nil},
		"the pool of earlier is kept": {
			[]*ledger.Event{{Body: &leadv1.LeadQueued{Pool: "north"}}, {Body: &leadv1.ClockReminded{Tell: []string{"mia"}}}},
			[]string{"console>mia escalation", "crm> event", "email>mia escalation", "north>mia escalation", "room>mia escalation"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newTold(everyChannel...)
			for _, e := range tt.events {
				b.happens(e)
			}
			if diff := cmp.Diff(tt.want, b.calledFor()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	before := newTold()
	before.happens(&ledger.Event{Body: offer("ana", "north", 1)})
	for _, set := range everyChannel {
		before.happens(&ledger.Event{Subject: SubjectChannel + set.GetChannel(), Body: set})
	}
	if got := before.calledFor(); got != nil {
		t.Errorf("a channel is told of what was before it: %v", got)
	}
}

// What is queued is called for no more, and what a page shows is there at once; decided
// again from the same prefix it is the same.
func TestWhatIsCalledForIsQueuedOnce(t *testing.T) {
	b := newTold(everyChannel...)
	b.happens(&ledger.Event{Body: offer("ana", "south", 1)})
	d := &Delivery{Book: b.Book}
	items := d.Wake(nil)
	if len(items) != 1 || items[0].Lead != "l1" {
		t.Fatalf("woken for %v", items)
	}
	drafts, err := d.Decide(nil, items)
	again, _ := d.Decide(nil, items)
	if err != nil || len(drafts) != 5 {
		t.Fatalf("%d drafts, %v", len(drafts), err)
	}
	seen := map[string]bool{}
	for i, draft := range drafts {
		if draft.Cause != again[i].Cause || draft.Position != again[i].Position {
			t.Errorf("decided again it is said under another id")
		}
		if id := draft.Cause + string(rune(draft.Position)); seen[id] {
			t.Errorf("two of them have one id")
		} else {
			seen[id] = true
		}
		b.happens(&ledger.Event{ID: draft.Cause + string(rune('a'+i)), Body: draft.Body})
	}
	if got := d.Wake(nil); len(got) != 0 {
		t.Errorf("what was queued is called for again: %v", b.calledFor())
	}
	if n := b.channels["console"]; n.Waiting != 0 || n.Sent != 1 {
		t.Errorf("the pages: %d wait, %d sent", n.Waiting, n.Sent)
	}
	if b.channels["crm"].Waiting != 1 || len(b.channels["crm"].line.list) != 1 || len(b.waiting) != 3 {
		t.Errorf("%d wait", len(b.waiting))
	}
}

func TestNoticeIDs(t *testing.T) {
	ids := map[string]string{}
	for _, parts := range [][4]string{
		{"l1", "e1", "email", "ana"}, {"l1", "e2", "email", "ana"}, {"l1", "e1", "console", "ana"}, {"l1", "e1", "email", "ben"}, {"l1", "e1", "emaila", "na"}, {"l1", "e1e", "mail", "ana"},
	} {
		id := noticeID(parts[0], parts[1], parts[2], parts[3])
		if other, taken := ids[id]; taken {
			t.Errorf("%v has the id of %s", parts, other)
		}
		ids[id] = strings.Join(parts[:], " ")
		if leadOf(id) != "l1" || id != noticeID(parts[0], parts[1], parts[2], parts[3]) {
			t.Errorf("%s", id)
		}
	}
	long := noticeID(lead.ID("l", make([]byte, 32)), "e", "c", "m")
	if len(long) > 64 {
		t.Errorf("%s is longer than the contract allows", long)
	}
	if leadOf("nothing") != "" {
		t.Error("an id without a lead has one")
	}
}

// The list of delays: eight attempts in about three days for systems, six in hours for
// mails, each within a twentieth, not all at the same place, and the same when asked again.
func TestDelays(t *testing.T) {
	for kind, list := range map[deliveryv1.ChannelKind][]time.Duration{
		deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK: systemDelays, deliveryv1.ChannelKind_CHANNEL_KIND_SLACK: systemDelays, deliveryv1.ChannelKind_CHANNEL_KIND_EMAIL: mailDelays,
	} {
		spread := map[time.Duration]bool{}
		for _, id := range []string{"l1-a", "l1-b", "l2-a", "l3-x", "l4-y"} {
			for i, want := range list {
				got, again := delay(kind, id, int32(i+1))
				if !again || got < want-want/20-time.Second || got > want+want/20 {
					t.Errorf("%s after %d failures: %s, %v; the list says %s", kind, i+1, got, again, want)
				}
				if same, _ := delay(kind, id, int32(i+1)); same != got {
					t.Error("asked again, another delay")
				}
				spread[got] = true
			}
			if _, again := delay(kind, id, int32(len(list)+1)); again {
				t.Errorf("%s goes on after %d attempts", kind, len(list)+1)
			}
		}
		if len(spread) < 3*len(list) {
			t.Errorf("%s: %d delays of %d differ: what fails together comes again together", kind, len(spread), 5*len(list))
		}
	}
	var sum time.Duration
	for _, d := range systemDelays {
		sum += d
	}
	if len(systemDelays) != 7 || sum < 70*time.Hour || sum > 73*time.Hour {
		t.Errorf("%d attempts in %s", len(systemDelays)+1, sum)
	}
}

// What is said of an attempt.
func TestWhatIsSaidOfAnAttempt(t *testing.T) {
	n := &Notice{ID: "l1-x", Channelled: deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK, Attempts: 2}
	wait, _ := delay(n.Channelled, n.ID, 3)
	for name, tt := range map[string]struct {
		o     outcome
		retry time.Duration
	}{
		"by the list":                        {outcome{fault: faultStatus}, wait},
		"the other side wants rest":          {outcome{fault: faultStatus, after: 2 * wait}, 2 * wait},
		"less rest than the list":            {outcome{fault: faultStatus, after: time.Second}, wait},
		"more rest than anybody may ask for": {outcome{fault: faultStatus, after: 90 * 24 * time.Hour}, longestWait},
		"nothing to be gained":               {outcome{fault: faultPrivate, final: true}, 0},
	} {
		f, ok := say(n, tt.o, monday).(*leadv1.NoticeFailed)
		if !ok || f.GetAttempt() != 3 || f.GetFault() != tt.o.fault {
			t.Fatalf("%s: %v", name, f)
		}
		if tt.retry == 0 != (f.GetRetryAt() == nil) || tt.retry != 0 && !f.GetRetryAt().AsTime().Equal(monday.Add(tt.retry)) {
			t.Errorf("%s: again at %v, want after %s", name, f.GetRetryAt().AsTime(), tt.retry)
		}
	}
	last := &Notice{ID: "l1-x", Channelled: n.Channelled, Attempts: 7}
	if f := say(last, outcome{fault: faultStatus}, monday).(*leadv1.NoticeFailed); f.GetRetryAt() != nil {
		t.Error("the eighth failure is tried again")
	}
	last.Before = 7 // asked for again
	if f := say(last, outcome{fault: faultStatus}, monday).(*leadv1.NoticeFailed); f.GetRetryAt() == nil || f.GetAttempt() != 8 {
		t.Error("what was asked for again is not tried as if it were new")
	}
}

// An offer, and a reminder of one, is told only while it stands for that very person.
func TestWhatStillStands(t *testing.T) {
	s := &lead.State{State: leadv1.State_STATE_OFFERED, Offers: 2, OfferedTo: "ana", TakeBy: monday.Add(time.Hour)}
	n := Notice{Kind: leadv1.NoticeKind_NOTICE_KIND_OFFER, Member: "ana", Offer: 2}
	if !stands(s, &n, monday) || stands(s, &n, monday.Add(time.Hour)) {
		t.Error("it stands until it is to be taken, and not from then on")
	}
	for name, change := range map[string]func(*lead.State, *Notice){
		"an earlier offer": func(_ *lead.State, n *Notice) { n.Offer = 1 },
		"somebody else":    func(_ *lead.State, n *Notice) { n.Member = "ben" },
		"taken":            func(s *lead.State, _ *Notice) { s.State = leadv1.State_STATE_ACCEPTED },
		"a reminder too":   func(s *lead.State, n *Notice) { n.Kind, s.OfferedTo = leadv1.NoticeKind_NOTICE_KIND_REMINDER, "ben" },
	} {
		other, about := *s, n
		change(&other, &about)
		if stands(&other, &about, monday) {
			t.Errorf("%s: it does not stand", name)
		}
		about.Kind = leadv1.NoticeKind_NOTICE_KIND_EVENT
		if !stands(&other, &about, monday) {
			t.Errorf("%s: what happened is told to systems all the same", name)
		}
	}
}

// The line hands out what is due first, whatever came and went in between.
func TestLine(t *testing.T) {
	var l line
	var all []*Notice
	for i := range 200 {
		n := &Notice{ID: string(rune('a' + i%26)), Due: monday.Add(time.Duration(i*7919%101) * time.Minute), seq: uint64(i)}
		all = append(all, n)
		l.push(n)
	}
	for i, n := range all {
		if i%3 == 0 {
			l.remove(n)
		}
		if i%3 == 1 {
			l.remove(n)
			n.Due = n.Due.Add(time.Hour)
			l.push(n)
		}
	}
	var want []*Notice
	for i, n := range all {
		if i%3 != 0 {
			want = append(want, n)
		}
	}
	slices.SortFunc(want, func(a, b *Notice) int {
		if c := a.Due.Compare(b.Due); c != 0 {
			return c
		}
		return int(a.seq) - int(b.seq)
	})
	var got []*Notice
	l.first(func(n *Notice) bool { got = append(got, n); return true })
	if !slices.Equal(got, want) {
		t.Errorf("%d of %d in another order", len(got), len(want))
	}
	seen := 0
	l.first(func(*Notice) bool { seen++; return seen < 3 })
	if seen != 3 {
		t.Errorf("it went on after it was told to stop: %d", seen)
	}
}

// The example that the Standard Webhooks libraries are held against.
func TestPublishedSignature(t *testing.T) {
	const secret, want = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" // #nosec G101 -- published
	at := time.Unix(1614265330, 0)
	got, ok := signatures([]string{secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`))
	if !ok || got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	two, ok := signatures([]string{"whsec_AAAA", secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`))
	if first, second, _ := strings.Cut(two, " "); !ok || second != want || first == want {
		t.Errorf("two secrets: %s", two)
	}
	for _, bad := range [][]string{nil, {"whsec_"}, {"whsec_%%"}} {
		if got, ok := signatures(bad, "m", at, nil); ok {
			t.Errorf("signed with %v: %s", bad, got)
		}
	}
}

func TestNamesOfEvents(t *testing.T) {
	for typ, want := range map[string]string{"LeadOffered": "lead.offered", "OfferTimedOut": "offer.timed_out", "ClockBreached": "clock.breached", "QualificationHeld": "qualification.held"} {
		if got := dotted(typ); got != want {
			t.Errorf("%s is told as %s, want %s", typ, got, want)
		}
	}
}

// Which addresses a channel may have.
func TestAddresses(t *testing.T) {
	const webhook = deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK
	for address, ok := range map[string][2]bool{ // anywhere, next door
		"https://crm.example.com/hook": {true, true}, "http://crm.example.com/hook": {false, true}, "http://10.0.0.7:9000/": {false, true}, "https://10.0.0.7/": {false, true},
		"https://127.0.0.1/": {false, true}, "https://169.254.169.254/": {false, false}, "http://[fd00:ec2::254]/": {false, false}, "https://[::ffff:169.254.169.254]/": {false, false},
		"https://user:secret@crm.example.com/": {false, false}, "ftp://crm.example.com/": {false, false}, "https://": {false, false}, "crm.example.com": {false, false},
		"https://crm.example.com/#x": {false, false},
	} {
		for i, private := range []bool{false, true} {
			if _, err := hostOf(webhook, address, private); (err == nil) != ok[i] {
				t.Errorf("%s, next door %v: %v", address, private, err)
			}
			if _, err := hostOf(webhook, address, private); err != nil && strings.Contains(err.Error(), "secret") && !strings.Contains(err.Error(), "own secrets") {
				t.Errorf("the fault repeats the address: %v", err)
			}
		}
	}
}

// Where a mail server may be, and what its faults repeat.
func TestMailServers(t *testing.T) {
	for address, ok := range map[string]bool{
		"smtp://u:hush@mail.example.com:587?from=leads@example.com": true, "smtps://mail.example.com?from=leads@example.com": true, "smtp://127.0.0.1:25?from=leads@example.com": true,
		"smtp://u:hush@mail.example.com": false, "http://mail.example.com?from=leads@example.com": false, "smtp://?from=a@b.example": false, "smtp://u:hush@[::1?from=a@b.example": false, "hush": false,
	} {
		m, err := NewMail(address)
		if (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("the fault repeats the password: %v", err)
		}
		if err == nil && m.plain != strings.Contains(address, "127.0.0.1") {
			t.Errorf("%s: without TLS: %v", address, m.plain)
		}
	}
}
