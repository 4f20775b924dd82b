/** What went wrong, as OpenAI's API says it (platform.openai.com/docs/guides/error-codes). */
export class ApiError extends Error {
  readonly status: 400 | 401 | 403 | 404 | 405 | 413 | 429 | 500 | 503;
  readonly body: { error: { message: string; type: string; param: string | null; code: string | null } };

  constructor(status: ApiError['status'], code: string | null, message: string, param: string | null = null) {
    super(message);
    this.status = status;
    const type = status === 429 ? 'rate_limit_error' : status >= 500 ? 'server_error' : 'invalid_request_error';
    this.body = { error: { message, type, param, code } };
  }
}
