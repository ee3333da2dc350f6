package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// sendLive hands new leads to the door: through its stream, or one by one where
// it has none. Which of them are here already is asked before.
func (im *importer) sendLive(rows []waiting, places []int, answers []answer) error {
	leads, err := im.resolve(rows, places)
	if err != nil {
		return err
	}
	fate := func(i int) fate {
		switch {
		case leads == nil:
			return fateUnsure
		case leads[i].GetExists():
			return fateThere
		}
		return fateNew
	}
	if !im.single {
		left := places
		err := im.persist(func() error {
			err := im.streamed(rows, left, answers, fate)
			left = slices.DeleteFunc(slices.Clone(left), func(i int) bool { return answers[i].no != nil || answers[i].fate != fateUnsent })
			return err
		})
		if status.Code(err) != codes.Unimplemented {
			return err
		}
		im.single = true
		places = left
	}
	together, ctx := errgroup.WithContext(im.ctx)
	for _, i := range places {
		together.Go(func() error {
			return im.one(&answers[i], fate(i), func() error {
				_, err := im.system.intake.Submit(ctx, rows[i].message.(*intakev1.SubmitRequest))
				return err
			})
		})
	}
	return together.Wait()
}

// submitStream is an open stream of submissions. It stays open over many
// batches; one that broke is left, and another is opened.
type submitStream struct {
	grpc.BidiStreamingClient[intakev1.SubmitBatchRequest, intakev1.SubmitBatchResponse]
	cancel context.CancelFunc
}

func (s *submitStream) close() {
	if s == nil {
		return
	}
	_ = s.CloseSend()
	s.cancel()
}

// streamed sends rows through the stream and waits for an answer to each. When
// it ends with a fault, the rows without an answer may be on disk or not: to
// send them again is harmless.
func (im *importer) streamed(rows []waiting, places []int, answers []answer, fate func(int) fate) (err error) {
	if im.stream == nil {
		ctx, cancel := context.WithCancel(im.ctx)
		stream, err := im.system.intake.SubmitBatch(ctx)
		if err != nil {
			cancel()
			return im.brokeOff(err)
		}
		im.stream = &submitStream{stream, cancel}
	}
	stream := im.stream
	// A server that falls silent must not hold the import for ever.
	silence := time.AfterFunc(answerWithin, stream.cancel)
	defer silence.Stop()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, i := range places {
			// What goes wrong here is told by whoever receives.
			if stream.Send(&intakev1.SubmitBatchRequest{Index: int64(i), Item: rows[i].message.(*intakev1.SubmitRequest)}) != nil {
				return
			}
		}
	}()
	defer func() {
		if err != nil {
			stream.cancel()
			im.stream = nil
		}
		<-sent
	}()
	var passing error
	for open := len(places); open > 0; open-- {
		res, err := stream.Recv()
		if err != nil {
			return im.brokeOff(err)
		}
		silence.Reset(answerWithin)
		i := int(res.GetIndex())
		if !slices.Contains(places, i) || answers[i].fate != fateUnsent || answers[i].no != nil {
			return fault.New(fault.Unknown, "the system answered a row that was not asked about, or twice")
		}
		switch kind := res.GetFault(); kind {
		case "":
			answers[i].fate = fate(i)
		case fault.Invalid.String():
			answers[i].no = &refusal{reason: res.GetText()}
		case fault.Unavailable.String(), fault.Full.String(), fault.Conflict.String():
			passing = fault.New(fault.Unavailable, "%s", res.GetText())
		default:
			return fault.New(fault.State, "%s", res.GetText())
		}
	}
	if passing != nil {
		return passing
	}
	return nil
}

// brokeOff says why a stream ended.
func (im *importer) brokeOff(err error) error {
	switch {
	case im.ctx.Err() != nil:
		return im.ctx.Err()
	case errors.Is(err, io.EOF), status.Code(err) == codes.Canceled:
		return fault.New(fault.Unavailable, "%s ended the stream before it had answered", im.system.server)
	case status.Code(err) == codes.Unimplemented:
		return err
	}
	return answered(err, im.system.server)
}
