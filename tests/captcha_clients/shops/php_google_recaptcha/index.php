<?php
// An order form with Google's client for PHP, by an address of its own.
require_once getenv('AUTOLOAD');

if ($_SERVER['REQUEST_METHOD'] == 'POST') {
    $method = new \ReCaptcha\RequestMethod\Post('https://captcha.example/recaptcha/api/siteverify');
    $recaptcha = new \ReCaptcha\ReCaptcha(getenv('SECRET'), $method);
    $response = $recaptcha->setExpectedHostname('shop.example')
        ->setChallengeTimeout(120)
        ->verify($_POST['g-recaptcha-response'], $_SERVER['REMOTE_ADDR']);
    exit($response->isSuccess()
        ? 'Thank you for your order.'
        : 'Refused: ' . implode(', ', $response->getErrorCodes()));
}
?>
<!doctype html>
<html lang="en">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; form-action 'self'; require-trusted-types-for 'script';
 script-src https://captcha.example; frame-src https://captcha.example">
<title>Order</title>
<script src="https://captcha.example/recaptcha/api.js" async defer></script>
<form method="post">
  <div class="g-recaptcha" data-sitekey="<?= htmlspecialchars(getenv('SITE_KEY')) ?>"></div>
  <input type="submit" value="Order">
</form>
</html>
