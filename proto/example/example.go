// Package example is what a program does that brings leads to Baton: it submits
// one lead, submits many over one stream, records a touch, and watches what
// happens to them. It needs the contracts and gRPC, and nothing else of Baton.
package example

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// Dial reaches Baton's gRPC address and sends the token with every call. On
// anything but this machine use transport credentials in place of insecure.
func Dial(addr, token string) (*grpc.ClientConn, error) {
	authorize := func(ctx context.Context) context.Context {
		return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	return grpc.NewClient(addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return invoke(authorize(ctx), method, req, reply, cc, opts...)
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, stream grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return stream(authorize(ctx), desc, cc, method, opts...)
		}))
}

// Submit brings one lead. The key is the sender's own name for it: sent again,
// it is the same lead. When Submit answers, the lead is on disk.
func Submit(ctx context.Context, conn *grpc.ClientConn, key, email string) (leadID string, err error) {
	answer, err := intakev1.NewIntakeServiceClient(conn).Submit(ctx, lead(key, email))
	return answer.GetLeadId(), err
}

func lead(key, email string) *intakev1.SubmitRequest {
	return &intakev1.SubmitRequest{
		Source: "web", IdempotencyKey: key,
		Submission: &intakev1.Submission{
			Personal: &leadv1.PersonalData{Email: email, Name: "Ada Example", Company: "Maschinen AG"},
			Features: &leadv1.Features{Country: "DE", Employees: 80, ContactWish: leadv1.ContactWish_CONTACT_WISH_CONTACT},
		},
	}
}

// SubmitMany brings leads over one stream, by their keys, and answers those
// that were not taken with the reason. After a broken stream, send everything
// that was not answered again; what stands already is answered as it was.
func SubmitMany(ctx context.Context, conn *grpc.ClientConn, keys, emails []string) (refused map[string]string, err error) {
	stream, err := intakev1.NewIntakeServiceClient(conn).SubmitBatch(ctx)
	if err != nil {
		return nil, err
	}
	go func() {
		for i := range keys {
			if stream.Send(&intakev1.SubmitBatchRequest{Index: int64(i), Item: lead(keys[i], emails[i])}) != nil {
				return // Recv says why
			}
		}
		_ = stream.CloseSend()
	}()
	refused = map[string]string{}
	for range keys {
		answer, err := stream.Recv() // in any order
		if err != nil {
			return refused, err
		}
		if answer.GetFault() != "" {
			refused[keys[answer.GetIndex()]] = answer.GetText()
		}
	}
	return refused, nil
}

// Touch records that somebody did something: it joins their lead, now or when
// they come.
func Touch(ctx context.Context, conn *grpc.ClientConn, key, email, kind string) error {
	_, err := intakev1.NewIntakeServiceClient(conn).RecordTouch(ctx, &intakev1.RecordTouchRequest{
		Source: "web", Touch: &intakev1.Touch{ExternalId: key, Kind: kind, Email: email},
	})
	return err
}

// Watch writes what happens, from the beginning, until it sees a lead reach a
// type of event, such as "baton.lead.v1.LeadOffered" for an assignment. Who goes
// on later keeps the sequence that it saw last.
func Watch(ctx context.Context, conn *grpc.ClientConn, leadID, eventType string, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := leadv1.NewLeadServiceClient(conn).WatchEvents(ctx, &leadv1.WatchEventsRequest{FromSequence: 1})
	if err != nil {
		return err
	}
	for {
		entry, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%d %s\n", entry.GetSequence(), entry.GetSentence()); err != nil {
			return err
		}
		if entry.GetLeadId() == leadID && entry.GetType() == eventType {
			return nil
		}
	}
}
