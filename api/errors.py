"""The errors a request can cause, as one tree.

Each class is one row of the REST contract's error table; `api.http.problems` gives it a status and a
problem type. Messages say what was expected, what was received and how to mend it. They are sent to the
client and never carry pixels, file names or anything else that could identify a patient.

GatewayError
├── InvalidRequest          the request holds no image where one is expected
├── NotAcceptable           the answer cannot be given in a form the client accepts
├── ImageTooLarge           too many bytes, or too many pixels
├── UnsupportedMediaType    the image is in a format that is not read
├── UndecodableImage        the image is damaged
├── NotAChestRadiograph     the image shows something else
├── UnsupportedView         a DICOM object says that it is a lateral view or of another body part
├── InvalidParameter        a query parameter is unknown or out of range
├── UploadTimeout           the image did not arrive in time
├── TooManyRequests         the gateway is at its limit of requests in work
├── NotReady                what is needed of the models is missing, or two do not fit together
└── DeadlineExceeded        the answer took longer than the gateway's limit

What a model server can do wrong is told in `serving.backend`.
"""


class GatewayError(Exception):
    """Base of every error that a request can cause."""


class InvalidRequest(GatewayError):
    """No image, an empty one, a wrong form field, or a malformed body."""


class NotAcceptable(GatewayError):
    """None of the media types that the client accepts can be served."""


class ImageTooLarge(GatewayError):
    """The image exceeds the limit on bytes, or its header claims too many pixels."""


class UnsupportedMediaType(GatewayError):
    """The declared media type, or the content itself, is not a supported image format."""


class UndecodableImage(GatewayError):
    """The image is truncated, corrupt, of zero size, or holds several frames."""


class NotAChestRadiograph(GatewayError):
    """The image is no chest radiograph, so that any label would be made up."""


class UnsupportedView(GatewayError):
    """The tags of a DICOM object name a lateral view or another part of the body."""


class InvalidParameter(GatewayError):
    """A query parameter is unknown or outside its range."""


class UploadTimeout(GatewayError):
    """The body of the request did not arrive within the gateway's limit."""


class TooManyRequests(GatewayError):
    """More requests are in work than the gateway admits."""


class NotReady(GatewayError):
    """A model, or a part of one that is needed, is missing, or two models do not belong together."""


class DeadlineExceeded(GatewayError):
    """The request took longer than the gateway's limit."""
