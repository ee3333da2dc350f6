package console

import (
	"context"
	"time"

	"google.golang.org/grpc"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
)

// patience is how long a page waits for one answer.
const patience = 5 * time.Second

// services are the others, as one token may see them.
type services struct {
	intake        intakev1.IntakeServiceClient
	leads         leadv1.LeadServiceClient
	qualification qualificationv1.QualificationServiceClient
	routing       routingv1.RoutingServiceClient
	agreement     agreementv1.AgreementServiceClient
	reports       feedbackv1.ReportServiceClient
	delivery      deliveryv1.DeliveryServiceClient
	feedback      feedbackv1.FeedbackServiceClient
}

func servicesFor(conn grpc.ClientConnInterface, token string) *services {
	as := bearer{conn: conn, creds: grpc.PerRPCCredentials(access.TokenCredentials{Token: token})}
	return &services{
		intake:        intakev1.NewIntakeServiceClient(as),
		leads:         leadv1.NewLeadServiceClient(as),
		qualification: qualificationv1.NewQualificationServiceClient(as),
		routing:       routingv1.NewRoutingServiceClient(as),
		agreement:     agreementv1.NewAgreementServiceClient(as),
		reports:       feedbackv1.NewReportServiceClient(as),
		delivery:      deliveryv1.NewDeliveryServiceClient(as),
		feedback:      feedbackv1.NewFeedbackServiceClient(as),
	}
}

// bearer is a connection on which every call carries one token and every
// answer has a deadline.
type bearer struct {
	conn  grpc.ClientConnInterface
	creds grpc.CallOption
}

func (b bearer) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return b.conn.Invoke(ctx, method, args, reply, append(opts, b.creds)...)
}

func (b bearer) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return b.conn.NewStream(ctx, desc, method, append(opts, b.creds)...)
}
