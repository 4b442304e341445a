import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Security;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/**
 * Judges bare signatures with BouncyCastle alone.
 *
 * <p>Usage: {@code Signatures ALGORITHM PUBLIC_KEY.der MESSAGE SIGNATURE [MESSAGE SIGNATURE …]}, where the algorithm is
 * a name of the provider such as SM3WITHSM2 or SHA256WITHRSA and the key a SubjectPublicKeyInfo. Prints one line for
 * each pair: {@code valid}, {@code invalid}, or why it cannot be judged. Exit status 0 says only that it ran.
 */
public final class Signatures {
    private static final String PROVIDER = BouncyCastleProvider.PROVIDER_NAME;

    private Signatures() {}

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        PublicKey key = publicKey(Files.readAllBytes(Path.of(arguments[1])));
        for (int pair = 2; pair + 1 < arguments.length; pair += 2) {
            System.out.println(judge(arguments[0], key, Path.of(arguments[pair]), Path.of(arguments[pair + 1])));
        }
    }

    private static PublicKey publicKey(byte[] der) throws Exception {
        String algorithm = SubjectPublicKeyInfo.getInstance(der).getAlgorithm().getAlgorithm().getId();
        return KeyFactory.getInstance(algorithm, PROVIDER).generatePublic(new X509EncodedKeySpec(der));
    }

    private static String judge(String algorithm, PublicKey key, Path message, Path signature) throws Exception {
        Signature verifier = Signature.getInstance(algorithm, PROVIDER);
        verifier.initVerify(key);
        verifier.update(Files.readAllBytes(message));
        try {
            return verifier.verify(Files.readAllBytes(signature)) ? "valid" : "invalid";
        } catch (Exception problem) {
            return problem.getClass().getSimpleName();
        }
    }
}
