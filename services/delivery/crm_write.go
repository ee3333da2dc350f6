package delivery

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// CRMTimeout is how long a call to a customer system may take: it carries many records.
const CRMTimeout = time.Minute

// Customers are the customer systems of channels. One that stands is used again, so that
// it need not sign in for each call.
type Customers struct {
	Calls *Calls

	mu    sync.Mutex
	known map[string]customerOf
}

// customerOf is a customer system, and the channel that it was made for as it stood.
type customerOf struct {
	set *deliveryv1.ChannelSet
	crm CRM
}

// of answers the customer system of a channel.
func (c *Customers) of(set *deliveryv1.ChannelSet, secrets *deliveryv1.ChannelSecrets) (CRM, outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.known[set.GetChannel()]; known.set == set {
		return known.crm, outcome{}
	}
	crm, o := c.fresh(set, secrets)
	if o.fault == "" {
		if c.known == nil {
			c.known = map[string]customerOf{}
		}
		c.known[set.GetChannel()] = customerOf{set, crm}
	}
	return crm, o
}

// fresh makes the customer system of a channel anew: it has signed in nowhere yet.
func (c *Customers) fresh(set *deliveryv1.ChannelSet, secrets *deliveryv1.ChannelSecrets) (CRM, outcome) {
	client, o := c.Calls.client(set, secrets.GetUrl())
	if o.fault != "" {
		return nil, o
	}
	if set.GetKind() == deliveryv1.ChannelKind_CHANNEL_KIND_HUBSPOT {
		return &HubSpot{Client: client, URL: secrets.GetUrl(), Token: secrets.GetToken(), IDProperty: set.GetIdField()}, outcome{}
	}
	id, secret, _ := strings.Cut(secrets.GetToken(), ":")
	return &Salesforce{Client: client, URL: secrets.GetUrl(), ClientID: id, ClientSecret: secret, Object: set.GetObject(), IDField: set.GetIdField()}, outcome{}
}

// batchOf is how many notices of a channel are worked in one attempt.
func batchOf(kind deliveryv1.ChannelKind) int {
	switch kind {
	case deliveryv1.ChannelKind_CHANNEL_KIND_HUBSPOT:
		return (&HubSpot{}).Batch()
	case deliveryv1.ChannelKind_CHANNEL_KIND_SALESFORCE:
		return (&Salesforce{}).Batch()
	}
	return 1
}

// written is what came of one record.
type written struct {
	outcome
	recordID string
	created  bool
	// asOf is the lead's last event that the record holds; 0 = the lead was not looked at.
	asOf uint64
}

// write writes the records of notices of one channel, and says of each what came of it.
// Killed in between, the same records are written again and found by their ids.
func (w *Worker) write(ctx context.Context, batch []Notice) error {
	all, err := w.upsert(ctx, batch)
	if err != nil {
		return err
	}
	_, err = w.Log.Write(ctx, Name, func(v *ledger.View) (drafts []ledger.Draft, _ error) {
		for i := range batch {
			n := &batch[i]
			if stands := w.Book.waiting[n.ID]; stands != nil && stands.Attempts == n.Attempts {
				drafts = append(drafts, sayWritten(n, all[i], w.Book.newest(n), v.Now)...)
			}
		}
		return drafts, nil
	})
	if err == nil {
		for i := range batch {
			w.count(&batch[i], all[i].outcome)
		}
	}
	return err
}

// upsert makes one call for all notices that still have something to write.
func (w *Worker) upsert(ctx context.Context, batch []Notice) ([]written, error) {
	out := make([]written, len(batch))
	set, secrets, o, err := w.channel(ctx, batch[0].Channel)
	if err != nil {
		return nil, err
	}
	var crm CRM
	if o.fault == "" {
		crm, o = w.Customers.of(set, secrets)
	}
	if o.fault != "" {
		for i := range out {
			out[i].outcome = o
		}
		return out, nil
	}
	var records []Record
	var places []int
	for i := range batch {
		r, one, err := w.Make.record(ctx, set, &batch[i])
		if err != nil {
			return nil, err
		}
		if out[i] = one; one.fault == "" {
			records, places = append(records, r), append(places, i)
		}
	}
	if len(records) == 0 {
		return out, nil
	}
	began := time.Now()
	rows, err := crm.Upsert(ctx, records)
	took := time.Since(began)
	if ctx.Err() != nil {
		return nil, ctx.Err() // the process ends: what came of it is not known
	}
	var failed *failedCall
	switch {
	case errors.As(err, &failed):
		if !failed.final {
			w.leaveAlone(set.GetChannel(), failed.after)
		}
	case err != nil:
		return nil, err
	}
	for k, i := range places {
		if failed != nil {
			out[i].outcome = failed.outcome
		} else {
			out[i] = out[i].of(rows[k])
		}
		out[i].took = took
	}
	return out, nil
}

// of adds what the other side says of a record.
func (w written) of(row Row) written {
	switch {
	case row.Fault != "":
		w.outcome = outcome{fault: codeWord(row.Fault), final: !row.Again}
	case row.RecordID == "" || len(row.RecordID) > 128:
		w.outcome = outcome{fault: faultUnreadable}
	default:
		w.outcome, w.recordID, w.created = outcome{delivered: true}, row.RecordID, row.Created
	}
	return w
}

// sayWritten is what is said of an attempt to write a record; newest is the lead's last
// event that it should hold. A record that is given up as it was read is tried once
// more where the lead moved since.
func sayWritten(n *Notice, w written, newest uint64, now time.Time) []ledger.Draft {
	said := say(n, w.outcome, now)
	if failed, ok := said.(*leadv1.NoticeFailed); ok && failed.GetRetryAt() == nil && w.asOf > 0 && newest > w.asOf {
		failed.RetryAt = timestamppb.New(now)
	}
	sent := n.draft(n.ID, int(n.Attempts+1), said)
	if w.fault != "" {
		return []ledger.Draft{sent}
	}
	return []ledger.Draft{
		n.draft(n.ID+":record", int(n.Attempts+1), &leadv1.RecordWritten{Channel: n.Channel, RecordId: w.recordID, Created: w.created, AsOfSequence: w.asOf}), sent,
	}
}

// leaveAlone notes that a channel asked for rest. What is due meanwhile waits as well:
// who said "too many" means all of it.
func (w *Worker) leaveAlone(channel string, d time.Duration) {
	if d > 0 {
		w.mu.Lock()
		w.rests[channel] = w.Log.Clock().Now().Add(min(d, longestWait))
		w.mu.Unlock()
	}
}

// record makes a lead's record as it stands; the fault says why there is none. Who was
// erased is written nowhere any more.
func (m *Maker) record(ctx context.Context, set *deliveryv1.ChannelSet, n *Notice) (Record, written, error) {
	none := func(word string, asOf uint64) (Record, written, error) {
		return Record{}, written{outcome: outcome{fault: word, final: true}, asOf: asOf}, nil
	}
	events, err := m.Log.History(ctx, lead.SubjectOf(n.Lead))
	if err != nil {
		return Record{}, written{}, err
	}
	s, held, asOf := &lead.State{ID: n.Lead}, false, uint64(0)
	for _, e := range events {
		s.Evolve(e.Body, e.Occurred, e.Recorded)
		b, ok := e.Body.(*leadv1.RecordWritten)
		held, asOf = held || ok && b.GetChannel() == n.Channel, e.Seq
	}
	if s.State == leadv1.State_STATE_REFUSED || s.Historical {
		return none(faultGone, asOf)
	}
	p := &leadv1.PersonalData{}
	if s.Personal != nil {
		plain, err := m.Keys.Open(ctx, s.Personal, []byte(n.Lead))
		switch {
		case fault.Is(err, fault.NotFound):
			return none(faultGone, asOf)
		case fault.Is(err, fault.Corrupt), err == nil && proto.Unmarshal(plain, p) != nil:
			return none(faultUnreadable, asOf)
		case err != nil:
			return Record{}, written{}, err
		}
	}
	return recordOf(set, s, p, held), written{asOf: asOf}, nil
}
