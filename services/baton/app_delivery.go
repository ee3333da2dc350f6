package main

import (
	"cmp"
	"context"
	"net/http"
	"time"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	"github.com/leadbaton/baton/services/delivery"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// startDelivery tells people and systems.
func (a *App) startDelivery(ctx context.Context, writable bool) error {
	a.maker = &delivery.Maker{
		Log: a.log, Book: a.book, Keys: a.keys, Register: a.register, Links: delivery.Links{Keys: a.keys, PublicURL: a.cfg.PublicURL, ConsoleURL: a.consoleURL()},
		Who: func(ctx context.Context, handle string) (delivery.Person, error) {
			name, email, gone, err := a.people.Contact(ctx, handle)
			return delivery.Person{Name: name, Email: email, Gone: gone}, err
		},
	}
	calls := delivery.NewCalls(a.cfg.patience)
	senders := map[deliveryv1.ChannelKind]delivery.Sender{
		deliveryv1.ChannelKind_CHANNEL_KIND_SLACK:   delivery.Chat{Calls: calls},
		deliveryv1.ChannelKind_CHANNEL_KIND_TEAMS:   delivery.Chat{Calls: calls},
		deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK: delivery.Webhook{Calls: calls},
	}
	if a.cfg.SMTPURL != "" {
		mail, err := delivery.NewMail(a.cfg.SMTPURL)
		if err != nil {
			return err
		}
		senders[deliveryv1.ChannelKind_CHANNEL_KIND_EMAIL] = mail
	}
	customers := &delivery.Customers{Calls: delivery.NewCalls(cmp.Or(a.cfg.patience, delivery.CRMTimeout))}
	deliveryv1.RegisterDeliveryServiceServer(a.server, &delivery.Server{Log: a.log, Book: a.book, Keys: a.keys, Make: a.maker, Senders: senders, Customers: customers})
	if !writable {
		return nil
	}
	if err := delivery.Declare(ctx, a.log, a.book, a.cfg.SMTPURL != ""); err != nil {
		return err
	}
	var turns ledger.DeskConfig
	if a.log.Shared() {
		// Of several processes one sends. By its consumer they know whose turn it is, and
		// by nothing else: it hears nothing.
		turns = ledger.DeskConfig{Durable: delivery.Name, Single: true}
	}
	var err error
	if a.tellDesk, err = a.nudgedBy(delivery.Name, &delivery.Delivery{Book: a.book}, func(wake func()) { a.book.Nudge(a.log.Follower(), wake) }, turns); err != nil {
		return err
	}
	a.teller = &delivery.Worker{Log: a.log, Book: a.book, Make: a.maker, Senders: senders, Customers: customers, Active: a.tellDesk.Active, Metrics: a.tel.Metrics(), Logger: a.logger}
	a.background("sending notices", a.teller.Keep)
	a.undo("age of notices", discard(a.tel.Metrics().OnOldestNotice(func() (age time.Duration) {
		a.log.Follower().View(func(v *ledger.View) { age = a.book.OldestAge(v.Now) })
		return age
	})))
	return nil
}

// consoleURL is where messages say that the pages are; empty = nobody said.
func (a *App) consoleURL() string {
	if a.cfg.ConsoleURL != "" || !a.cfg.runs("console") || a.cfg.Console == "-" {
		return a.cfg.ConsoleURL
	}
	return "http://" + cmp.Or(a.ConsoleAddr, a.cfg.Console)
}

// answers puts the pages to which links in messages lead in front of a door.
func (a *App) answers(ctx context.Context, otherwise http.Handler) (http.Handler, error) {
	if a.maker == nil || a.log.ReadOnly() != "" {
		return otherwise, nil
	}
	conn, err := a.peers(ctx)
	if err != nil {
		return nil, err
	}
	pages := &delivery.Pages{Make: a.maker, Conn: conn, Pass: a.passes.Pass, Logger: a.logger}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if pages.Serves(r.URL.Path) {
			pages.ServeHTTP(w, r)
			return
		}
		otherwise.ServeHTTP(w, r)
	}), nil
}
